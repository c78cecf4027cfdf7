//! HTTP/1.1 over connections of our own (hyper): one request, one answer, no pool. Redirects are the caller's affair, except
//! of a download.

use crate::error::DialError;
use crate::link::Link;
use crate::resolver::Resolver;
use crate::server::Server;
use crate::tls::Roots;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Method;
pub use hyper::StatusCode;
use hyper::body::Incoming;
pub use hyper::header::LOCATION;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, RANGE, USER_AGENT};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use url::Url;

/// A server that has not begun its answer by then is silent.
const ANSWER: Duration = Duration::from_secs(10);
/// A download during which nothing comes for so long has stopped.
const STALLED: Duration = Duration::from_secs(30);
/// A download follows this many redirects.
const REDIRECTS: usize = 5;

/// What all requests of a program share.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// How names are found.
    pub resolver: Resolver,
    /// Which certificates are trusted.
    pub roots: Roots,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status code.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

/// There is no answer, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is not of a server that HTTP is spoken to.
    #[error("not an HTTP URL")]
    Url,
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server took the connection and is silent.
    #[error("the server takes a connection and is silent")]
    Silent,
    /// What it answers is not HTTP, or breaks off.
    #[error("the server answers something that is not HTTP")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body is longer than was allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// A download is answered with another status.
    #[error("the server answers with {0}")]
    Status(StatusCode),
    /// A download leads on and on, or from HTTPS to HTTP.
    #[error("the server redirects too often, or to an insecure address")]
    Redirect,
    /// What is downloaded cannot be kept.
    #[error("cannot keep what is downloaded")]
    Keep(#[source] std::io::Error),
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn of(status: u16, location: Option<&str>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(to) = location.and_then(|to| HeaderValue::try_from(to).ok()) {
            headers.insert(LOCATION, to);
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers, body: Bytes::new() }
    }

    /// A header field as text; none when it is not there or not text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    /// GET. The body may have `limit` bytes; with 0 it is not read.
    ///
    /// # Errors
    /// When there is no answer, or a longer one. Any status is an answer.
    pub async fn get(&self, url: &Url, link: &Link, limit: usize) -> Result<Response, HttpError> {
        let response = self.send(Method::GET, url, link, HeaderMap::new(), Bytes::new()).await?;
        collect(response, limit).await
    }

    /// POST of `body` with these header fields.
    ///
    /// # Errors
    /// When there is no answer, or one longer than `limit`. Any status is an answer.
    pub async fn post(
        &self,
        url: &Url,
        link: &Link,
        headers: HeaderMap,
        body: Bytes,
        limit: usize,
    ) -> Result<Response, HttpError> {
        let response = self.send(Method::POST, url, link, headers, body).await?;
        collect(response, limit).await
    }

    /// Downloads what is behind byte `from` into `out`, follows redirects, and calls `progress` with the bytes that were
    /// written and the length of the whole, if the server says it. Returns the bytes written.
    ///
    /// # Errors
    /// When there is no answer, another status, nothing for 30 s, or `out` takes no more.
    pub async fn download(
        &self,
        url: &Url,
        link: &Link,
        from: u64,
        out: &mut (impl AsyncWrite + Unpin),
        mut progress: impl FnMut(u64, Option<u64>),
    ) -> Result<u64, HttpError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let mut headers = HeaderMap::new();
            if from > 0 {
                let range = HeaderValue::try_from(format!("bytes={from}-"));
                headers.insert(RANGE, range.map_err(|error| HttpError::Protocol(error.into()))?);
            }
            let response = self.send(Method::GET, &url, link, headers, Bytes::new()).await?;
            let wanted = if from > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
            if response.status() == wanted {
                return keep(response.into_body(), out, &mut progress).await;
            }
            if !response.status().is_redirection() {
                return Err(HttpError::Status(response.status()));
            }
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let next = location.and_then(|to| url.join(to).ok()).ok_or(HttpError::Redirect)?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(HttpError::Redirect);
            }
            url = next;
        }
        Err(HttpError::Redirect)
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        link: &Link,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<hyper::Response<Incoming>, HttpError> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(HttpError::Url),
        };
        let host = url.host_str().ok_or(HttpError::Url)?;
        let port = url.port_or_known_default().ok_or(HttpError::Url)?;
        let stream = Server::new(host, port).connect(&self.resolver, link, || {}).await?;
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target(url).parse().map_err(|_| HttpError::Url)?;
        *request.headers_mut() = headers;
        let at = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let field = |text: &str| HeaderValue::try_from(text).map_err(|_| HttpError::Url);
        request.headers_mut().insert(HOST, field(&at)?);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("robocast"));
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if tls {
            exchange(self.roots.handshake(host, stream).await?, request).await
        } else {
            exchange(stream, request).await
        }
    }
}

/// Path and query: what a request names.
fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: hyper::Request<Full<Bytes>>,
) -> Result<hyper::Response<Incoming>, HttpError> {
    let protocol = |error: hyper::Error| HttpError::Protocol(error.into());
    // Login pages are served by whatever a router has.
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .ignore_invalid_headers_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    // It ends with the body, or when that is dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an HTTP connection broke");
        }
    });
    match tokio::time::timeout(ANSWER, sender.send_request(request)).await {
        Ok(answer) => answer.map_err(protocol),
        Err(_) => Err(HttpError::Silent),
    }
}

async fn collect(response: hyper::Response<Incoming>, limit: usize) -> Result<Response, HttpError> {
    let (head, body) = response.into_parts();
    let body = if limit == 0 {
        Bytes::new()
    } else {
        let whole = tokio::time::timeout(ANSWER, Limited::new(body, limit).collect());
        match whole.await.map_err(|_| HttpError::Silent)? {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(HttpError::TooLong(limit));
            }
            Err(error) => return Err(HttpError::Protocol(error)),
        }
    };
    Ok(Response { status: head.status, headers: head.headers, body })
}

async fn keep(
    mut body: Incoming,
    out: &mut (impl AsyncWrite + Unpin),
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Result<u64, HttpError> {
    let whole = hyper::body::Body::size_hint(&body).exact();
    let mut written = 0;
    loop {
        let frame = match tokio::time::timeout(STALLED, body.frame()).await {
            Ok(Some(frame)) => frame.map_err(|error| HttpError::Protocol(error.into()))?,
            Ok(None) => break,
            Err(_) => return Err(HttpError::Silent),
        };
        if let Some(data) = frame.data_ref() {
            out.write_all(data).await.map_err(HttpError::Keep)?;
            written += data.len() as u64;
            progress(written, whole);
        }
    }
    out.flush().await.map_err(HttpError::Keep)?;
    Ok(written)
}

#[cfg(test)]
mod tests;
