//! Probes an uplink that carries no traffic: whether a login page is in the way, and whether a server of the streams accepts a
//! connection. Sockets are bound to the uplink's interface.

use crate::uplink::connect::{ReachError, connect};
use crate::uplink::desired::ProbeTarget;
use crate::uplink::egress::Egress;
use crate::uplink::http::{self, PageError, HttpHead};
use crate::uplink::probe_outcome::{ProbeError, ProbeOutcome};
use crate::uplink::resolver;
use robocast_config::Url;
use std::time::Duration;
use tokio::time::Instant;

/// The time until the next probe of an uplink: 5 s, then ever longer up to a minute, or five where each byte costs money.
///
/// The schedule is fixed and without jitter, and each wait is used six times: the hold-down of the choice counts on probes
/// every 5 s at first.
#[must_use]
pub fn probe_interval(probes: u32, metered: bool) -> Duration {
    const FIRST: Duration = Duration::from_secs(5);
    let cap = Duration::from_secs(if metered { 300 } else { 60 });
    FIRST.saturating_mul(1 << (probes / 6).min(8)).min(cap)
}

/// Probes an uplink; none where the settings name nothing to probe.
pub async fn probe_uplink(
    egress: &Egress,
    targets: &[ProbeTarget],
    page: Option<&Url>,
) -> Option<ProbeOutcome> {
    let result = match (targets, page) {
        ([], None) => return None,
        _ => probe(egress, targets, page).await,
    };
    Some(ProbeOutcome { interface: egress.interface.clone(), result })
}

async fn probe(egress: &Egress, targets: &[ProbeTarget], page: Option<&Url>) -> Result<Duration, ProbeError> {
    let page_took = match (page, targets.first()) {
        (Some(page), _) => Some(probe_page(page, egress).await?),
        (None, Some(target)) => probe_for_login(&target.host, egress).await?,
        (None, None) => None,
    };
    let mut failure = None;
    for target in targets {
        let began = Instant::now();
        match reach_target(target, egress).await {
            Ok(()) => return Ok(began.elapsed()),
            Err(source) => {
                failure.get_or_insert(ProbeError::Unreachable { host: target.host.clone(), source });
            }
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => page_took.ok_or(ProbeError::NoAnswer),
    }
}

/// The settings' own page: it has to answer 200 or 204.
async fn probe_page(page: &Url, egress: &Egress) -> Result<Duration, ProbeError> {
    let host = page.host_str().unwrap_or_default();
    let failed = |source: PageError| ProbeError::Page { host: host.to_owned(), source };
    let head = http::get(page, egress).await.map_err(failed)?;
    match judge(&head, host, true) {
        PageVerdict::Free => Ok(head.took),
        PageVerdict::Login(host) => Err(ProbeError::Login { host }),
    }
}

/// Port 80 of the server's own host: any answer will do, or none, unless it leads to another host for a login.
async fn probe_for_login(host: &str, egress: &Egress) -> Result<Option<Duration>, ProbeError> {
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let Ok(url) = Url::parse(&format!("http://{bracketed}/")) else { return Ok(None) };
    let Ok(head) = http::get(&url, egress).await else { return Ok(None) };
    match judge(&head, host, false) {
        PageVerdict::Free => Ok(Some(head.took)),
        PageVerdict::Login(host) => Err(ProbeError::Login { host }),
    }
}

async fn reach_target(target: &ProbeTarget, egress: &Egress) -> Result<(), ReachError> {
    match target.port {
        Some(port) => connect(&target.host, port, egress).await.map(drop),
        // Over UDP only the protocol itself would get an answer: that the name resolves must be enough.
        None => Ok(resolver::resolve(&target.host, egress).await.map(drop)?),
    }
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum PageVerdict {
    Free,
    /// A login page, at this host.
    Login(Option<String>),
}

/// With `strict` any answer but 200 and 204 is a login page; else only one that leads to an unrelated host.
fn judge(head: &HttpHead, host: &str, strict: bool) -> PageVerdict {
    let to = head.location.as_deref().and_then(|to| Url::parse(to).ok()?.host_str().map(str::to_owned));
    match head.status {
        // Network Authentication Required (RFC 6585, 6)
        511 => PageVerdict::Login(to),
        300..=399 => match to {
            Some(to) if strict || !related(&to, host) => PageVerdict::Login(Some(to)),
            _ if strict => PageVerdict::Login(None),
            _ => PageVerdict::Free,
        },
        200 | 204 => PageVerdict::Free,
        _ if strict => PageVerdict::Login(None),
        _ => PageVerdict::Free,
    }
}

/// Whether one of two hosts is the other or a subdomain of it.
fn related(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    a == b || a.ends_with(&format!(".{b}")) || b.ends_with(&format!(".{a}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on an answer; none of what is not HTTP.
    fn verdict(answer: &[u8], strict: bool) -> Option<PageVerdict> {
        let (status, location) = http::parse_head(answer)?;
        Some(judge(&HttpHead { status, location, took: Duration::ZERO }, "live.example.net", strict))
    }

    #[test]
    fn an_answer_that_leads_elsewhere_is_a_login_page() {
        let login = |to: &str| Some(PageVerdict::Login(Some(to.to_owned()).filter(|to| !to.is_empty())));
        let free = || Some(PageVerdict::Free);
        let table = [
            ("HTTP/1.1 204 No Content\r\n\r\n", true, free()),
            ("HTTP/1.1 200 OK\r\n\r\nhello", true, free()),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/?u=1\r\n\r\n",
                true,
                login("login.hotel.example"),
            ),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://login.hotel.example/\r\n\r\n",
                false,
                login("login.hotel.example"),
            ),
            ("HTTP/1.1 301 Moved\r\nLocation: https://live.example.net/\r\n\r\n", false, free()),
            ("HTTP/1.1 301 Moved\r\nLocation: https://www.live.example.net/\r\n\r\n", false, free()),
            ("HTTP/1.1 302 Found\r\nLocation: /index.html\r\n\r\n", false, free()),
            ("HTTP/1.1 511 Network Authentication Required\r\n\r\n", false, login("")),
            ("HTTP/1.1 404 Not Found\r\n\r\n", false, free()),
            ("HTTP/1.1 404 Not Found\r\n\r\n", true, login("")),
            ("SSH-2.0-OpenSSH_9.2\r\n", false, None),
            ("", true, None),
        ];
        for (answer, strict, expected) in table {
            assert_eq!(verdict(answer.as_bytes(), strict), expected, "{answer}");
        }
    }

    #[test]
    fn an_uplink_is_probed_ever_less_often_and_least_where_it_costs() {
        let waits: Vec<_> = [0, 5, 6, 12, 18, 24, 60].map(|n| probe_interval(n, false).as_secs()).into();
        assert_eq!(waits, [5, 5, 10, 20, 40, 60, 60]);
        assert_eq!(probe_interval(60, true).as_secs(), 300);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer: Vec<u8>, strict: bool) {
            let _ = verdict(&answer, strict);
        }
    }
}
