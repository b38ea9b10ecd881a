//! The addresses of a name, one after the other, until a hub is found.

use super::Outcome;

/// What came of one address.
pub(super) enum Tried {
    /// Nobody was reached there.
    Unreached(String),
    /// Something answered that is no hub, or that let nobody in.
    NoHub(String),
    /// It was the hub, or the program ends: no other address is tried.
    Over(Outcome),
}

/// Tries each address until one is the hub. If none is, the end is what was heard last, which tells more than that nobody was
/// there; `none`: what is said where there is no address.
pub(super) fn in_turn<A>(
    addresses: impl IntoIterator<Item = A>,
    none: String,
    mut one: impl FnMut(A) -> Tried,
) -> Outcome {
    let (mut unreached, mut heard) = (none, None);
    for address in addresses {
        match one(address) {
            Tried::Unreached(why) => unreached = why,
            Tried::NoHub(why) => heard = Some(why),
            Tried::Over(end) => return end,
        }
    }
    Outcome::Again(heard.unwrap_or(unreached))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end, and how many addresses were tried.
    fn tried(addresses: &[fn() -> Tried]) -> (Outcome, usize) {
        let mut count = 0;
        let end = in_turn(addresses, "no address".into(), |one| {
            count += 1;
            one()
        });
        (end, count)
    }

    #[test]
    fn a_hub_at_the_second_address_of_a_name_is_found_whatever_is_at_the_first() {
        let hub = || Tried::Over(Outcome::Refused("full".into()));
        for first in
            [|| Tried::NoHub("a web server".into()), || Tried::Unreached("nobody".into())] as [fn() -> Tried; 2]
        {
            assert_eq!(tried(&[first, hub, first]), (Outcome::Refused("full".into()), 2));
        }
    }

    #[test]
    fn where_there_is_no_hub_what_was_heard_is_said_before_that_nobody_was_there() {
        let again = |why: &str| Outcome::Again(why.into());
        let web: fn() -> Tried = || Tried::NoHub("a web server".into());
        let nobody: fn() -> Tried = || Tried::Unreached("nobody".into());
        assert_eq!(tried(&[web, nobody]), (again("a web server"), 2));
        assert_eq!(tried(&[nobody, nobody]), (again("nobody"), 2));
        assert_eq!(tried(&[]), (again("no address"), 0));
    }
}
