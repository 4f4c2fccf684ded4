mod case;
mod crashes;
mod refusals;
mod traps;
mod whole;
