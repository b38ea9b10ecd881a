use std::sync::mpsc;

use super::*;
use crate::access::file;
use crate::access::link::SigningKeys;
use crate::access::policy::{Policy, RevokedLinks};

const SECRET: &str = "q83vEjRWeJCrze8SNFZ4kA";

/// An authenticator at which a random secret and a password are known, and what tells that it has looked.
fn authenticator() -> (Arc<Access>, Authenticator, mpsc::Receiver<()>) {
    let kept = secrets::keep_made_up("correct horse", [3; 16]).unwrap();
    let file =
        format!("[[secret]]\nsecret = '{SECRET}'\nrole = 'view'\n[[secret]]\nsecret = '{kept}'\nrole = 'view'\n");
    let policy = Policy::of_file(file::read(&file).unwrap(), None, SigningKeys::none(), RevokedLinks::default());
    let access = Arc::new(Access::new(policy));
    let (tell, told) = mpsc::channel();
    let authenticator = Authenticator::start(&access, None, move || {
        let _ = tell.send(());
    })
    .unwrap();
    (access, authenticator, told)
}

const SESSION: SessionName = SessionName::Instance(1);

fn ip(n: u8) -> IpAddr {
    [192, 0, 2, n].into()
}

#[test]
fn a_password_is_tried_on_a_thread_of_its_own_and_then_known() {
    let (access, authenticator, told) = authenticator();
    let show = |text: &str, from| authenticator.identify(&access, &text.into(), from, SESSION);
    assert_eq!(show("correct horse", ip(1)), Identified::Later);
    assert!(matches!(show("correct horse", ip(2)), Identified::Later | Identified::Now(Holder::MadeUp(_))));
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(matches!(show("correct horse", ip(1)), Identified::Now(Holder::MadeUp(_))));
    assert_eq!(show("wrong horse", ip(1)), Identified::Later);
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(show("wrong horse", ip(1)), Identified::Now(Holder::Refused(Reason::Unknown)));
}

#[test]
fn of_ten_thousand_guesses_ten_are_looked_at_and_what_is_right_is_taken_all_the_same() {
    let (access, authenticator, _told) = authenticator();
    let show = |text: &str, from| authenticator.identify(&access, &text.into(), from, SESSION);
    let looked = (0..10_000).filter(|n| show(&format!("guess number {n}"), ip(1)) == Identified::Later).count();
    assert!((1..=GUESSES_AT_ONCE as usize + 1).contains(&looked), "{looked}");
    let refused = [Reason::TooManyGuesses, Reason::Busy].map(|why| Identified::Now(Holder::Refused(why)));
    assert!(refused.contains(&show("one more guess", ip(1))));
    for from in [ip(1), ip(2)] {
        assert!(matches!(show(SECRET, from), Identified::Now(Holder::Secret(_))), "{from}");
    }
}

#[test]
fn what_was_tried_takes_bounded_memory() {
    let mut passwords = Passwords::default();
    let hash = |n: u32| {
        let mut hash = SecretHash::default();
        hash[..4].copy_from_slice(&n.to_be_bytes());
        hash
    };
    for n in 0..10_000 {
        passwords.remember(hash(n), (n % 2 == 0).then(|| "kept".into()));
    }
    assert!(passwords.good.len() + passwords.bad.len() <= REMEMBERED && passwords.order.len() <= REMEMBERED);
}
