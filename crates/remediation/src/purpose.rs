//! What a server is for, as far as its tags and names show. The planner and the checks of a plan ask the same question
//! here, so that they cannot disagree.

/// How much depends on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// It is for development, tests or trials.
    NonProduction,
    /// Nothing says what it is for.
    Unknown,
    /// A name has a word of production in it, and does not say clearly that it is in production.
    PerhapsProduction,
    /// It is in production use.
    Production,
}

/// Tags that say what a server is for.
const TAGS: [&str; 6] = ["environment", "env", "stage", "tier", "lifecycle", "criticality"];
const NON_PRODUCTION: [&str; 22] = [
    "nonproduction",
    "nonprod",
    "preproduction",
    "preprod",
    "dev",
    "develop",
    "development",
    "devel",
    "test",
    "testing",
    "tst",
    "qa",
    "qs",
    "uat",
    "stage",
    "staging",
    "stg",
    "sandbox",
    "sbx",
    "demo",
    "lab",
    "int",
];
const PRODUCTION: [&str; 6] = ["production", "prod", "prd", "live", "critical", "missioncritical"];

/// Words that are also found at an end of a longer word, as in `pgprod01` and `stgorders`.
const NON_PRODUCTION_ENDS: [&str; 9] = ["staging", "stg", "sandbox", "sbx", "uat", "tst", "dev", "test", "testing"];
/// The same, with production in them.
const NEGATED_ENDS: [&str; 4] = ["nonproduction", "nonprod", "preproduction", "preprod"];
const PRODUCTION_ENDS: [&str; 3] = ["production", "prod", "prd"];

/// The kind of resource before the rest of a word, as in `psqldevorders`.
const KINDS: [&str; 9] = ["postgresql", "postgres", "pgsql", "psql", "mysql", "pgf", "sql", "pg", "db"];
/// Short and long names of Azure's regions, as they stand in a word: `psqlordersdevweu02`. Those of two letters are in too
/// many other words.
const REGIONS: [&str; 38] = [
    "weu",
    "neu",
    "gwc",
    "gerwc",
    "eus",
    "wus",
    "cus",
    "ncus",
    "scus",
    "wcus",
    "uks",
    "ukw",
    "frc",
    "sdc",
    "swc",
    "chn",
    "szn",
    "plc",
    "itn",
    "noe",
    "westeurope",
    "northeurope",
    "germanywestcentral",
    "germanynorth",
    "eastus",
    "westus",
    "centralus",
    "uksouth",
    "ukwest",
    "francecentral",
    "francesouth",
    "swedencentral",
    "switzerlandnorth",
    "switzerlandwest",
    "polandcentral",
    "italynorth",
    "spaincentral",
    "norwayeast",
];

/// Beginnings and ends of words of English that say nothing: `product`, `device`, `latest`.
const OTHER_BEGINNINGS: [&str; 12] =
    ["produc", "prodig", "devi", "deve", "deva", "devops", "devot", "devou", "testim", "testam", "testif", "testos"];
const OTHER_ENDS: [&str; 12] = [
    "reproduction",
    "coproduction",
    "latest",
    "contest",
    "protest",
    "attest",
    "detest",
    "fastest",
    "greatest",
    "shortest",
    "smartest",
    "hottest",
];

/// What one text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    NonProduction,
    Nothing,
    /// Nothing, but the letters of production are in it: `product-catalog`, `ledgerprodx`.
    Resembles,
    /// Both, as in `prodtest` or `prod-lab-results`: a test of production, a copy of it, or its laboratory.
    Both,
    Production,
}

/// What is said of a server: by its tags, then by each of its names. What says both is not outweighed by a name that says
/// that it is for tests.
pub(crate) fn tier<'a>(tag: impl Fn(&str) -> Option<&'a str>, names: impl IntoIterator<Item = &'a str>) -> Tier {
    let tags = TAGS.iter().filter_map(|name| tag(name));
    let (mut resembles, mut both) = (false, false);
    for text in tags.chain(names) {
        match said(text) {
            Said::Production => return Tier::Production,
            Said::NonProduction if both => return Tier::PerhapsProduction,
            Said::NonProduction => return Tier::NonProduction,
            Said::Both => both = true,
            Said::Resembles => resembles = true,
            Said::Nothing => {}
        }
    }
    if both || resembles { Tier::PerhapsProduction } else { Tier::Unknown }
}

/// What one text says. `non-prod`, `pre-prod` and a copy of one are not production.
fn said(text: &str) -> Said {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let negated =
        words.windows(2).any(|pair| matches!(pair, ["non" | "pre" | "not", word] if PRODUCTION.contains(word)));
    let other = words.iter().any(|word| NON_PRODUCTION.contains(word));
    let production = words.iter().any(|word| PRODUCTION.contains(word));
    if negated || (other && words.contains(&"copy")) {
        return Said::NonProduction;
    }
    let (glued_other, glued_production) =
        words.iter().map(|word| inside(word)).fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1));
    match (other, production) {
        (true, true) => Said::Both,
        (true, false) if glued_production => Said::Both,
        (true, false) => Said::NonProduction,
        (false, true) => Said::Production,
        (false, false) => match (glued_other, glued_production) {
            (true, true) => Said::Both,
            (true, false) => Said::NonProduction,
            (false, true) => Said::Production,
            (false, false) if words.iter().any(|word| word.contains("prod") || word.contains("prd")) => Said::Resembles,
            (false, false) => Said::Nothing,
        },
    }
}

/// Whether a longer word says that something is not production, and that it is: by itself, and by what is left of it
/// without the kind of resource and beside the name of a region.
fn inside(word: &str) -> (bool, bool) {
    let beside = REGIONS.iter().filter_map(|region| word.split_once(region)).flat_map(|(head, tail)| [head, tail]);
    let parts = std::iter::once(word).chain(beside);
    let without_kind = |part| KINDS.iter().find_map(move |kind| str::strip_prefix(part, kind));
    let tiers = parts.flat_map(|part| std::iter::once(part).chain(without_kind(part))).map(|part| {
        match (NON_PRODUCTION.contains(&part), PRODUCTION.contains(&part)) {
            (true, _) => Tier::NonProduction,
            (_, true) => Tier::Production,
            _ => glued(part),
        }
    });
    tiers.fold((false, false), |all, one| (all.0 || one == Tier::NonProduction, all.1 || one == Tier::Production))
}

/// The words of a text in lower case: letters between anything else, and `OrdersProd` is two.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphabetic() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let (true, Some(word)) = (c.is_alphabetic(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What the beginning or the end of a longer word says.
fn glued(word: &str) -> Tier {
    let begins = |end: &&str| word.starts_with(*end) && !OTHER_BEGINNINGS.iter().any(|other| word.starts_with(other));
    let ends = |end: &&str| word.ends_with(*end) && !OTHER_ENDS.iter().any(|other| word.ends_with(other));
    let either = |list: &[&str]| list.iter().any(|end| begins(end) || ends(end));
    // `ordersnonprod` ends with `prod` too.
    if either(&NEGATED_ENDS) {
        return Tier::NonProduction;
    }
    match (either(&NON_PRODUCTION_ENDS), either(&PRODUCTION_ENDS)) {
        (true, false) => Tier::NonProduction,
        (false, true) => Tier::Production,
        (true, true) | (false, false) => Tier::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(name: &'static str) -> Tier {
        tier(|_| None, [name])
    }

    #[test]
    fn words_say_what_a_server_is_for() {
        for production in [
            "prod",
            "Production",
            "pgf-prod-01",
            "live",
            "shop_PRD2",
            "pgprod01",
            "prod01orders",
            "OrdersProd",
            "ordersprod",
            "prodorders",
            "PGPROD",
            "prdshop",
            "psqlledgerprodweu01",
            "psqlprodledger",
            "weuprodledger",
            "ledgerprodgwcorders",
            "pglive",
            "prod-pgtest",
        ] {
            assert_eq!(alone(production), Tier::Production, "{production}");
        }
        for other in [
            "dev",
            "pgf-test3",
            "non-prod",
            "nonprod",
            "pre-prod",
            "UAT",
            "staging-prod-copy",
            "PreProd",
            "NonProduction",
            "stgorders",
            "ordersstg1",
            "pgtest01",
            "testorders",
            "ordersnonprod",
            "preprodorders",
            "devorders",
            "pgdev2",
            "OrdersDev",
            "uat2shop",
            "psqlordersdevweu02",
            "psqldevorders",
            "orderstesteus2",
            "ordersnonprodweu",
            "pgint",
            "psqlstgweu",
        ] {
            assert_eq!(alone(other), Tier::NonProduction, "{other}");
        }
        for nothing in [
            "",
            "orders",
            "device",
            "contest",
            "devices",
            "latest",
            "testimonials",
            "Olive",
            "delivery",
            "developers2",
            "psqldevices",
            "latestweu",
            "customers-weu",
        ] {
            assert_eq!(alone(nothing), Tier::Unknown, "{nothing}");
        }
    }

    #[test]
    fn production_beside_another_word_is_no_test() {
        for perhaps in [
            "prodtest",
            "testprod",
            "pg-prod-lab-results",
            "prod-int",
            "demo-live",
            "psqlprodweu-test",
            "ledgerprodx",
            "product-catalog",
            "products01",
            "reproduction",
        ] {
            assert_eq!(alone(perhaps), Tier::PerhapsProduction, "{perhaps}");
        }
        let named = |names: [&'static str; 2]| tier(|_| None, names);
        assert_eq!(named(["pg-prod-lab-results", "rg-test"]), Tier::PerhapsProduction);
        assert_eq!(named(["pg-prod-lab-results", "rg-prod"]), Tier::Production);
        assert_eq!(named(["product-catalog", "rg-test"]), Tier::NonProduction);
    }

    #[test]
    fn a_tag_counts_before_a_name_and_an_unknown_one_says_nothing() {
        let with = |value: &'static str| tier(|name| (name == "env").then_some(value), ["pgprod01", "rg-dev"]);
        assert_eq!((with("test"), with("blue")), (Tier::NonProduction, Tier::Production));
    }
}
