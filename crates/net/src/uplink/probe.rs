//! Probes an uplink that carries no traffic: whether a login page is in the way, and whether a server of the streams accepts a
//! connection. Sockets are bound to the uplink's interface.

use crate::uplink::desired::ProbeTarget;
use crate::uplink::egress::Egress;
use crate::uplink::probe_outcome::{ProbeError, ProbeOutcome};
use robocast_config::Url;
use robocast_dial::http::{Client, LOCATION, Response};
use robocast_dial::{DialError, Resolver, Roots, Server};
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
                failure.get_or_insert_with(|| ProbeError::unreachable(&target.host, &source));
            }
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => page_took.ok_or(ProbeError::NoAnswer),
    }
}

/// The page from the settings: it must answer 200 or 204.
async fn probe_page(page: &Url, egress: &Egress) -> Result<Duration, ProbeError> {
    let host = page.host_str().unwrap_or_default();
    let began = Instant::now();
    let answer =
        client().get(page, &egress.link(), 0).await.map_err(|error| ProbeError::page(host, &error))?;
    match judge(&answer, host, true) {
        PageVerdict::Free => Ok(began.elapsed()),
        PageVerdict::Login(host) => Err(ProbeError::Login { host }),
    }
}

/// Port 80 of the server's own host: any answer will do, or none, unless it leads to another host for a login.
async fn probe_for_login(host: &str, egress: &Egress) -> Result<Option<Duration>, ProbeError> {
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let Ok(url) = Url::parse(&format!("http://{bracketed}/")) else { return Ok(None) };
    let began = Instant::now();
    let Ok(answer) = client().get(&url, &egress.link(), 0).await else { return Ok(None) };
    match judge(&answer, host, false) {
        PageVerdict::Free => Ok(Some(began.elapsed())),
        PageVerdict::Login(host) => Err(ProbeError::Login { host }),
    }
}

/// Names are asked for at the uplink's own servers, pages over plain HTTP.
fn client() -> Client {
    Client { resolver: Resolver::without_bus(), roots: Roots::default() }
}

async fn reach_target(target: &ProbeTarget, egress: &Egress) -> Result<(), DialError> {
    let (resolver, link) = (Resolver::without_bus(), egress.link());
    let server = Server::new(&target.host, target.port.unwrap_or_default());
    match target.port {
        Some(_) => server.connect(&resolver, &link, || {}).await.map(drop),
        // Over UDP only the protocol itself would get an answer: a name that resolves must be enough.
        None => server.addresses(&resolver, &link).await.map(drop),
    }
}

/// The meaning of an answer.
#[derive(Debug, PartialEq, Eq)]
enum PageVerdict {
    Free,
    /// A login page, at this host.
    Login(Option<String>),
}

/// With `strict` any answer but 200 and 204 is a login page; otherwise only one that leads to an unrelated host.
fn judge(answer: &Response, host: &str, strict: bool) -> PageVerdict {
    let to = answer.header(&LOCATION).and_then(|to| Url::parse(to).ok()?.host_str().map(str::to_owned));
    match answer.status.as_u16() {
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

    #[test]
    fn an_answer_that_leads_elsewhere_is_a_login_page() {
        let login = |to: &str| PageVerdict::Login(Some(to.to_owned()).filter(|to| !to.is_empty()));
        let table = [
            (204, "", true, PageVerdict::Free),
            (200, "", true, PageVerdict::Free),
            (302, "http://login.hotel.example/?u=1", true, login("login.hotel.example")),
            (302, "http://login.hotel.example/", false, login("login.hotel.example")),
            (301, "https://live.example.net/", false, PageVerdict::Free),
            (301, "https://www.live.example.net/", false, PageVerdict::Free),
            (302, "/index.html", false, PageVerdict::Free),
            (302, "/index.html", true, login("")),
            (511, "", false, login("")),
            (404, "", false, PageVerdict::Free),
            (404, "", true, login("")),
        ];
        for (status, location, strict, expected) in table {
            let answer = Response::of(status, Some(location).filter(|to| !to.is_empty()));
            assert_eq!(judge(&answer, "live.example.net", strict), expected, "{status} {location} {strict}");
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
        fn no_answer_makes_it_panic(status in 100u16..1000, location in "[ -~]{0,60}", strict: bool) {
            let _ = judge(&Response::of(status, Some(&location)), "live.example.net", strict);
        }
    }
}
