//! The names of this machine, as which its hub answers.

use crate::wire::host::HostNames;

/// Where the administrator writes what the machine is called in full.
const HOSTS: &str = "/etc/hosts";

/// The machine's own names, and the hosts of these URLs.
///
/// # Errors
/// A URL that is none.
pub(in crate::hub) fn host_names(public_urls: &[String]) -> Result<HostNames, String> {
    let mut names = HostNames::default();
    let own = gethostname::gethostname().to_string_lossy().into_owned();
    names.add(&own);
    for name in beside(&own, &std::fs::read_to_string(HOSTS).unwrap_or_default()) {
        names.add(name);
    }
    public_urls.iter().try_for_each(|url| names.add_url(url))?;
    Ok(names)
}

/// The names that stand on one line with `own`: the full name among them. Other lines may be about anybody, as where a
/// list of advertisers is kept there.
fn beside<'a>(own: &'a str, hosts: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default().split_whitespace().skip(1));
    lines.filter(move |names| names.clone().any(|name| name.eq_ignore_ascii_case(own))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_is_found_beside_the_short_one() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tdesk.example.org Desk # desk evil.test\n0.0.0.0 ads.test\n\n# x\n";
        assert_eq!(beside("desk", hosts).collect::<Vec<_>>(), ["desk.example.org", "Desk"]);
        assert_eq!(beside("other", hosts).count(), 0);
    }
}
