//! HTTP/1.1 over our own connections (hyper): one request, one answer, no pool. Only downloads follow redirects; otherwise
//! the caller handles them.

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

/// A server that has not begun its answer by then will not answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A download that receives nothing for this long has stopped.
const STALLED: Duration = Duration::from_secs(30);
/// The most redirects that a download follows.
const REDIRECTS: usize = 5;

/// The state that all requests of a program share.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Resolves names.
    pub resolver: Resolver,
    /// The trusted certificates.
    pub roots: Roots,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status code.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is not an HTTP URL with a host.
    #[error("not an HTTP URL")]
    Url,
    /// The connection failed.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server accepted the connection but does not answer.
    #[error("the server accepts connections but does not answer")]
    Silent,
    /// The answer is not HTTP, or is cut off.
    #[error("the server's answer is not HTTP")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The answer to a download has an unexpected status.
    #[error("the server answers with {0}")]
    Status(StatusCode),
    /// A download is redirected too often, or from HTTPS to HTTP.
    #[error("the server redirects too often, or to an insecure address")]
    Redirect,
    /// The download cannot be written.
    #[error("cannot write the download")]
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

    /// A header field as text; none if it is missing or not text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    /// Sends GET. The body may have up to `limit` bytes; with 0 it is not read.
    ///
    /// # Errors
    /// When there is no answer, or its body is longer. Every status counts as an answer.
    pub async fn get(&self, url: &Url, link: &Link, limit: usize) -> Result<Response, HttpError> {
        let response = self.send(Method::GET, url, link, HeaderMap::new(), Bytes::new()).await?;
        collect(response, limit).await
    }

    /// Sends POST with `body` and these header fields.
    ///
    /// # Errors
    /// When there is no answer, or its body is longer than `limit`. Every status counts as an answer.
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

    /// Downloads the bytes from `from` on into `out`. Follows redirects, and calls `progress` with the number of bytes
    /// written and the total length, if the server sends it. Returns the number of bytes written.
    ///
    /// # Errors
    /// When there is no answer, an unexpected status, no data for 30 s, or `out` cannot be written.
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

/// Path and query: the target of the request line.
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
    // A login page may come from any router's web server, with bad headers.
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .ignore_invalid_headers_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    // The task ends with the body, or when the body is dropped.
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
