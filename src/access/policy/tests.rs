use super::*;
use crate::access::Access;
use crate::access::file;
use crate::access::link::LinkClaims;
use crate::names::StreamKey;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "q83vEjRWeJCrze8SNFZ4kA";
const FILE: &str = r#"
plain = { from = "192.168.1.0/24", role = "view", stream = "main/*" }
anyone = { role = "view", stream = "lobby/door" }
[[secret]]
secret = "q83vEjRWeJCrze8SNFZ4kA"
role = ["publish", "view"]
stream = ["main/robot", "lab/*"]
"#;

fn keys() -> SigningKeys {
    SigningKeys::read("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE").unwrap()
}

fn policy_with(file: &str, revoked: &str) -> Policy {
    Policy::of_file(file::read(file).unwrap(), None, keys(), RevokedLinks::read(revoked))
}

fn policy() -> Policy {
    policy_with(FILE, "")
}

fn who(address: &str, encrypted: bool, holder: Holder) -> Credentials {
    Credentials { address: address.parse().unwrap(), encrypted, elsewhere: false, holder, session: None }
}

fn key(text: &str) -> StreamKey {
    let (room, name) = text.split_once('/').unwrap();
    StreamKey::new(room, name)
}

fn link(policy: &Policy, json: &str) -> Holder {
    let claims: LinkClaims = serde_json::from_str(json).unwrap();
    policy.holder(keys().sign(&claims).unwrap().expose()).unwrap()
}

#[test]
fn a_secret_is_good_for_what_the_file_says_and_for_nothing_else() {
    let policy = policy();
    let robot = who("192.0.2.1", true, policy.holder(SECRET).unwrap());
    let may = |right: Right<'_>| policy.decide(&robot, right, NOW);
    for yes in ["main/robot", "lab/a"] {
        assert_eq!((may(Right::Publish(&key(yes))), may(Right::Watch(&key(yes)))), (Ok(()), Ok(())), "{yes}");
    }
    for no in ["main/door", "main/robot2", "mainx/robot"] {
        assert!(matches!(may(Right::Publish(&key(no))), Err(Reason::NotFor(_))), "{no}");
        assert!(may(Right::Watch(&key(no))).is_err(), "{no}");
    }
    assert_eq!((may(Right::Watch(&key("lab/"))), may(Right::Join(&key("lab/Ann")))), (Ok(()), Ok(())));
    assert!(may(Right::Watch(&key("main/"))).is_err() && may(Right::Join(&key("main/robot"))).is_err());
    assert!(
        may(Right::List(Some("lab"))).is_ok() && may(Right::List(None)).is_ok() && may(Right::List(Some("x"))).is_err()
    );
    assert!(may(Right::Metrics).is_err());
    // Whoever has nothing may do what everybody may.
    let nobody = who("192.0.2.1", true, Holder::Nobody);
    assert_eq!(policy.decide(&nobody, Right::Watch(&key("lobby/door")), NOW), Ok(()));
    assert_eq!(policy.decide(&nobody, Right::Watch(&key("lab/a")), NOW), Err(Reason::Wanted));
    assert_eq!(policy.holder("x83vEjRWeJCrze8SNFZ4kA"), Some(Holder::Refused(Reason::Unknown)));
    let unknown = who("127.0.0.1", false, Holder::Refused(Reason::Unknown));
    assert_eq!(policy.decide(&unknown, Right::Watch(&key("lab/a")), NOW), Err(Reason::Unknown), "nor on this machine");
}

#[test]
fn what_is_in_the_clear_from_another_machine_needs_a_rule_for_its_network() {
    let policy = policy();
    let secret = || policy.holder(SECRET).unwrap();
    let watch = |address, encrypted, holder, stream| {
        policy.decide(&who(address, encrypted, holder), Right::Watch(&key(stream)), NOW)
    };
    assert_eq!(watch("192.0.2.1", false, secret(), "lab/a"), Err(Reason::InTheClear));
    assert_eq!(watch("192.0.2.1", false, Holder::Nobody, "lobby/door"), Err(Reason::InTheClear));
    assert_eq!(watch("192.168.1.9", false, Holder::Nobody, "main/door"), Ok(()));
    assert_eq!(watch("::ffff:192.168.1.9", false, Holder::Nobody, "main/door"), Ok(()));
    assert_eq!(watch("192.168.1.9", false, Holder::Nobody, "lab/a"), Err(Reason::Wanted));
    assert_eq!(
        watch("192.168.1.9", true, Holder::Nobody, "main/door"),
        Err(Reason::Wanted),
        "the rule is for the clear"
    );
    assert_eq!(watch("127.0.0.1", false, secret(), "lab/a"), Ok(()));
    assert_eq!(watch("::1", false, Holder::Nobody, "lab/a"), Err(Reason::Wanted));
    // A page of another place must not use what its browser's address may do.
    let elsewhere = Credentials { elsewhere: true, ..who("192.168.1.9", false, Holder::Nobody) };
    assert_eq!(policy.decide(&elsewhere, Right::Watch(&key("main/door")), NOW), Err(Reason::Elsewhere));
    let with_secret = Credentials { holder: secret(), ..elsewhere };
    assert_eq!(policy.decide(&with_secret, Right::Watch(&key("lab/a")), NOW), Ok(()));
}

#[test]
fn a_link_ends_is_revoked_and_is_not_believed_before_it_begins_or_by_a_clock_that_is_not_set() {
    let policy = policy_with("", "gone\n# a comment\n");
    let decide = |policy: &Policy, json: &str, now| {
        policy.decide(&who("192.0.2.1", true, link(policy, json)), Right::Watch(&key("main/door")), now)
    };
    let ends = format!(r#"{{"get":"main/door","exp":{NOW}.5,"jti":"a","iat":{}}}"#, NOW - 100);
    assert_eq!((decide(&policy, &ends, NOW - 1), decide(&policy, &ends, NOW)), (Ok(()), Err(Reason::Ended(NOW))));
    assert_eq!(decide(&policy, &ends, 1000), Err(Reason::ClockUnset));
    assert_eq!(decide(&policy, r#"{"get":"main/door"}"#, 1000), Ok(()), "one that does not end needs no clock");
    // Nor by one that shows a time long before what the hub has kept was written.
    let kept = policy_with("", "").judging(ClockCheck::after(Some(("signing-keys".into(), NOW))));
    assert_eq!(decide(&kept, &ends, NOW - 7 * 24 * 3600), Err(Reason::ClockUnset));
    assert_eq!(decide(&kept, &ends, NOW - 3600), Ok(()));
    let later = format!(r#"{{"get":"main/door","nbf":{NOW}}}"#);
    assert_eq!((decide(&policy, &later, NOW - 1), decide(&policy, &later, NOW)), (Err(Reason::NotYet(NOW)), Ok(())));
    assert_eq!(decide(&policy, r#"{"get":"main/door","jti":"gone"}"#, NOW), Err(Reason::Revoked));
    let all = policy_with("", &format!("before {}", NOW - 50));
    assert_eq!(decide(&all, &ends, NOW - 1), Err(Reason::Revoked));
    assert_eq!(
        decide(&all, r#"{"get":"main/door"}"#, NOW - 1),
        Err(Reason::Revoked),
        "it does not say when it was made"
    );
    assert_eq!(decide(&all, &ends.replace(&(NOW - 100).to_string(), &(NOW - 50).to_string()), NOW - 1), Ok(()));
    assert_eq!(decide(&policy, r#"{"exp":-5,"get":"main/door"}"#, NOW), Err(Reason::Ended(0)));
    // With a key that is not the hub's any more.
    let other = Policy::of_file(AccessFile::default(), None, SigningKeys::none(), RevokedLinks::default());
    let held = link(&policy, r#"{"get":""}"#);
    let holder = who("192.0.2.1", true, held);
    assert_eq!(other.decide(&holder, Right::Watch(&key("main/door")), NOW), Err(Reason::Unknown));
}

#[test]
fn a_right_is_given_away_by_who_operates_it_and_never_more_than_one_has() {
    let policy = policy_with("", "");
    let may = |json: &str, roles: &[AccessRole], scope: &str| {
        let permission = Permission::of(roles.iter().copied(), scope.parse().unwrap());
        policy.decide(&who("192.0.2.1", true, link(&policy, json)), Right::Share(&permission), NOW).is_ok()
    };
    let operator = r#"{"root":"main","get":"","role":"operate"}"#;
    assert!(may(operator, &[AccessRole::View], "main/door") && may(operator, &[AccessRole::View], "main/*"));
    assert!(!may(operator, &[AccessRole::View], "*") && !may(operator, &[AccessRole::View], "lab/a"));
    assert!(!may(operator, &[AccessRole::Publish], "main/door"), "it may not publish itself");
    assert!(
        !may(r#"{"root":"main","get":""}"#, &[AccessRole::View], "main/door"),
        "who watches alone gives nothing away"
    );
    let all = r#"{"get":"","put":"","role":["operate","admin"]}"#;
    assert!(may(all, &[AccessRole::View, AccessRole::Publish], "*"));
}

#[test]
fn whoever_may_watch_one_stream_is_given_it_as_the_first_of_the_room_and_sees_no_other() {
    let access = Access::new(policy());
    access.set_time(NOW);
    let policy = access.policy();
    let holder = link(&policy, r#"{"get":["main/door","lab"]}"#);
    let guest = who("192.0.2.1", true, holder);
    assert_eq!(access.watch(&guest, key("main/")).unwrap().0.0, key("main/door"));
    assert_eq!(access.watch(&guest, key("lab/")).unwrap().0.0, key("lab/"));
    assert!(access.watch(&guest, key("x/")).is_err());
    let list = access.list(&guest, None).unwrap();
    let seen: Vec<_> =
        ["main/door", "main/attic", "lab/a", "lobby/door"].into_iter().filter(|s| list.has(&key(s))).collect();
    assert_eq!(seen, ["main/door", "lab/a", "lobby/door"]);
    let denied = access.publish(&guest, key("main/door")).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "you may not publish main/door with what you showed, which is for: view main/door and lab/*; view lobby/door"
    );
    assert_eq!(denied.line(), Some("streamflow-hub link --publish main/door"));
}

#[test]
fn a_hub_that_asks_nobody_lets_everybody_in_or_this_machine_alone() {
    let everybody = |policy: &Policy, address: &str| {
        let who = who(address, false, Holder::Nobody);
        policy.decide(&who, Right::Publish(&key("main/door")), NOW).is_ok()
            && policy.decide(&who, Right::Metrics, NOW).is_ok()
    };
    assert!(everybody(&Policy::open(), "192.0.2.1") && everybody(&Policy::of_this_machine(), "::1"));
    assert!(!everybody(&Policy::of_this_machine(), "192.0.2.1"));
    assert!(!Policy::open().asks() && !Policy::of_this_machine().asks() && policy().asks());
}

#[test]
fn every_role_is_good_for_its_rights_alone() {
    let stream = key("main/door");
    let room = key("main/Ann");
    let policy = policy_with("", "");
    let share = Permission::of([AccessRole::View], Scope::Stream(stream.clone()));
    let rights = [
        ("view", Right::Watch(&stream)),
        ("publish", Right::Publish(&stream)),
        ("view+publish", Right::Join(&room)),
        ("view|admin", Right::List(Some("main"))),
        ("view|admin", Right::List(None)),
        ("admin", Right::Metrics),
        ("view+operate", Right::Share(&share)),
    ];
    for mask in 0..32_u8 {
        let roles: Vec<_> = AccessRole::ALL.into_iter().filter(|role| mask & (1 << *role as u8) != 0).collect();
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let file = format!("[[secret]]\nsecret = '{SECRET}'\nrole = {names:?}\nstream = 'main/*'\n");
        let given = if names.is_empty() { policy_with("", "") } else { policy_with(&file, "") };
        let who = who("192.0.2.1", true, given.holder(SECRET).unwrap());
        for (needs, right) in &rights {
            let has = |role: &str| names.contains(&role);
            let expected = if needs.contains('|') { needs.split('|').any(has) } else { needs.split('+').all(has) };
            assert_eq!(given.decide(&who, *right, NOW).is_ok(), expected, "{names:?} and {right}");
        }
    }
    drop(policy);
}
