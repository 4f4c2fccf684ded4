//! What a server is for, as far as its tags and names show. The planner and the checks of a plan ask the same question
//! here, so that they cannot disagree.

/// How much depends on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// It is for development, tests or trials.
    NonProduction,
    /// Nothing says what it is for.
    Unknown,
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
const NON_PRODUCTION_ENDS: [&str; 11] =
    ["nonproduction", "nonprod", "preproduction", "preprod", "staging", "stg", "sandbox", "sbx", "uat", "tst", "dev"];
const TEST_ENDS: [&str; 2] = ["test", "testing"];
const PRODUCTION_ENDS: [&str; 3] = ["production", "prod", "prd"];

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

/// What is said of a server: by its tags, then by each of its names.
pub(crate) fn tier<'a>(tag: impl Fn(&str) -> Option<&'a str>, names: impl IntoIterator<Item = &'a str>) -> Tier {
    let tags = TAGS.iter().filter_map(|name| tag(name));
    tags.chain(names).map(said).find(|tier| *tier != Tier::Unknown).unwrap_or(Tier::Unknown)
}

/// What one text says. `non-prod` and `pre-prod` are not production.
fn said(text: &str) -> Tier {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let negated =
        words.windows(2).any(|pair| matches!(pair, ["non" | "pre" | "not", word] if PRODUCTION.contains(word)));
    if negated || words.iter().any(|word| NON_PRODUCTION.contains(word)) {
        return Tier::NonProduction;
    }
    if words.iter().any(|word| PRODUCTION.contains(word)) {
        return Tier::Production;
    }
    let (other, production) = words
        .iter()
        .map(|word| glued(word))
        .fold((false, false), |all, one| (all.0 || one == Tier::NonProduction, all.1 || one == Tier::Production));
    match (other, production) {
        (true, false) => Tier::NonProduction,
        (false, true) => Tier::Production,
        // Both, as in `prodtest`: it may be a test of production, or a copy of it.
        (true, true) | (false, false) => Tier::Unknown,
    }
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
    if either(&NON_PRODUCTION_ENDS[..4]) {
        return Tier::NonProduction;
    }
    match (either(&NON_PRODUCTION_ENDS) || either(&TEST_ENDS), either(&PRODUCTION_ENDS)) {
        (true, false) => Tier::NonProduction,
        (false, true) => Tier::Production,
        (true, true) | (false, false) => Tier::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(said(production), Tier::Production, "{production}");
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
        ] {
            assert_eq!(said(other), Tier::NonProduction, "{other}");
        }
        for nothing in [
            "",
            "orders",
            "product-catalog",
            "reproduction",
            "device",
            "contest",
            "prodtest",
            "testprod",
            "products01",
            "devices",
            "latest",
            "testimonials",
            "Olive",
            "delivery",
            "developers2",
        ] {
            assert_eq!(said(nothing), Tier::Unknown, "{nothing}");
        }
    }

    #[test]
    fn a_tag_counts_before_a_name_and_an_unknown_one_says_nothing() {
        let with = |value: &'static str| tier(|name| (name == "env").then_some(value), ["pgprod01", "rg-dev"]);
        assert_eq!((with("test"), with("blue")), (Tier::NonProduction, Tier::Production));
    }
}
