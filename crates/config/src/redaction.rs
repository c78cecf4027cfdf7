//! URLs as written: split into parts without losing a byte, and shown without their secrets.

use url::Url;

use crate::parse_error::ParseError;

/// Replaces a secret when a URL is shown.
pub(crate) const HIDDEN: &str = "***";

/// A URL's parts as written; nothing is decoded. They are split where the URL standard splits them.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'t> {
    pub scheme: &'t str,
    pub user: Option<&'t str>,
    /// Host and port.
    pub host: &'t str,
    /// Empty, or starts with `/`.
    pub path: &'t str,
    pub query: Option<&'t str>,
    pub fragment: Option<&'t str>,
}

impl<'t> Parts<'t> {
    /// `None` when the text is not `SCHEME://...`.
    pub fn of(text: &'t str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let first = scheme.bytes().next()?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !first.is_ascii_alphabetic() || !scheme.bytes().all(legal) {
            return None;
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (rest, fragment) = cut(rest, '#');
        let (path, query) = cut(rest, '?');
        Some(Self { scheme, user, host, path, query, fragment })
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

/// Which part of a path may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathRule {
    /// The first segment (an RTMP app); the rest is a stream key.
    First,
    /// Everything except segments that look like credentials (RTSP).
    Plain,
    /// Nothing (WHIP: some services put the key first).
    Nothing,
}

/// A URL without its secrets. Scheme, host and port stay; user, password, query values and the path parts that `rule` hides
/// become `***`.
pub(crate) fn redact(parts: &Parts<'_>, rule: PathRule) -> String {
    let mut out = format!("{}://", parts.scheme);
    if parts.user.is_some() {
        out.push_str("***@");
    }
    out.push_str(parts.host);
    let mut segments = parts.path.strip_prefix('/').into_iter().flat_map(|p| p.split('/'));
    match rule {
        PathRule::First => {
            if let Some(first) = segments.next() {
                out.push('/');
                out.push_str(first);
            }
            if segments.any(|s| !s.is_empty()) {
                out.push_str("/***");
            }
        }
        PathRule::Plain => {
            for segment in segments {
                out.push('/');
                out.push_str(if segment.contains(['=', '&', ':', ';', '@']) { "***" } else { segment });
            }
        }
        PathRule::Nothing => {
            if segments.any(|s| !s.is_empty()) {
                out.push_str("/***");
            }
        }
    }
    if let Some(query) = parts.query {
        for (number, pair) in query.split('&').enumerate() {
            out.push(if number == 0 { '?' } else { '&' });
            out.push_str(&redact_pair(pair));
        }
    }
    if parts.fragment.is_some() {
        out.push_str("#***");
    }
    out
}

/// `name=value` without the value. A bare token, or one whose `=` is base64 padding, is hidden entirely; so is a name that
/// is not a plain lower-case word, as it may be a token.
fn redact_pair(pair: &str) -> String {
    const LONGEST_NAME: usize = 16;
    match pair.split_once('=') {
        None if pair.is_empty() => String::new(),
        Some((name, value))
            if name.len() <= LONGEST_NAME
                && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'))
                && !value.bytes().all(|b| b == b'=') =>
        {
            format!("{name}=***")
        }
        _ => "***".to_owned(),
    }
}

/// Splits a URL and checks that it is valid and has a host. No error repeats the text.
pub(crate) fn dissect<'t>(text: &'t str, form: &str) -> Result<(Parts<'t>, Url), ParseError> {
    let example = || format!("the form is {form}");
    if text.trim().is_empty() {
        return Err(ParseError::new("the URL is empty").with_hint(example()));
    }
    if let Some(c) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        let name = if c == ' ' { "a space" } else { "white space or a control character" };
        return Err(ParseError::new(format!("the URL contains {name}"))
            .with_hint("write a space within a key as %20"));
    }
    let Some(parts) = Parts::of(text) else {
        return Err(ParseError::new("not a URL").with_hint(example()));
    };
    if host_name(parts.host).is_empty() {
        return Err(ParseError::new("the URL has no host").with_hint(example()));
    }
    let url =
        Url::parse(text).map_err(|e| ParseError::new(format!("not a URL: {e}")).with_hint(example()))?;
    if url.port() == Some(0) {
        return Err(ParseError::new("port 0 cannot be reached").with_hint(example()));
    }
    Ok((parts, url))
}

fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The error for a scheme that is not supported here.
pub(crate) fn unknown_scheme(scheme: &str, what: &str, known: &[&str]) -> ParseError {
    use crate::parse_error::{nearest, quote};
    let fault = ParseError::new(format!("no {what} speaks {}", quote(&format!("{scheme}://"))));
    let known_list = known.iter().map(|k| format!("{k}://")).collect::<Vec<_>>().join(", ");
    match nearest(&scheme.to_lowercase(), known) {
        Some(meant) => fault.with_hint(format!("did you mean `{meant}://`? known: {known_list}")),
        None => fault.with_hint(format!("known: {known_list}")),
    }
}
