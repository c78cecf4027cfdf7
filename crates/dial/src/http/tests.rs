//! Tests against servers that send a few fixed bytes over a loopback socket.

use super::*;
use std::net::Ipv4Addr;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// Answers one connection after another with these bytes, then ends. Returns the base URL and the requests.
async fn server(answers: Vec<String>) -> (Url, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let serve = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                let mut buffer = [0; 1024];
                let count = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..count]);
                if count == 0 {
                    break;
                }
            }
            asked.push(String::from_utf8_lossy(&request).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (base, serve)
}

fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len())
}

fn client() -> Client {
    Client { resolver: Resolver::without_bus(), roots: Roots::default() }
}

#[tokio::test]
async fn an_answer_of_any_status_is_returned_with_its_fields_and_body() {
    let (base, asked) =
        server(vec![answer("404 Not Found", "Location: http://elsewhere.example/\r\n", "no")]).await;
    let response = client().get(&base.join("a/b?c=d").unwrap(), &Link::through("lo"), 100).await.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (404, &b"no"[..]));
    assert_eq!(response.header(&LOCATION), Some("http://elsewhere.example/"));
    let asked = asked.await.unwrap().remove(0).to_ascii_lowercase();
    assert!(asked.starts_with("get /a/b?c=d http/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {}\r\n", base.authority())), "{asked}");
}

#[tokio::test]
async fn a_post_carries_its_body_and_fields() {
    let (base, asked) = server(vec![answer("201 Created", "", "")]).await;
    let headers =
        HeaderMap::from_iter([(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/sdp"))]);
    let response =
        client().post(&base, &Link::default(), headers, Bytes::from_static(b"v=0"), 100).await.unwrap();
    assert_eq!(response.status.as_u16(), 201);
    let asked = asked.await.unwrap().remove(0).to_ascii_lowercase();
    assert!(
        asked.contains("content-type: application/sdp\r\n") && asked.contains("content-length: 3\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_is_too_long_is_an_error() {
    let (base, _asked) =
        server(vec!["SSH-2.0-OpenSSH_9.2\r\n".into(), answer("200 OK", "", &"x".repeat(200)), String::new()])
            .await;
    let (client, link) = (client(), Link::default());
    assert!(matches!(client.get(&base, &link, 100).await, Err(HttpError::Protocol(_))));
    assert!(matches!(client.get(&base, &link, 100).await, Err(HttpError::TooLong(100))));
    assert!(
        matches!(client.get(&base, &link, 100).await, Err(HttpError::Protocol(_))),
        "the server closes without an answer"
    );
    assert!(
        matches!(client.get(&base, &link, 100).await, Err(HttpError::Dial(_))),
        "nobody is listening now"
    );
    assert!(matches!(client.get(&"ftp://h/".parse().unwrap(), &link, 1).await, Err(HttpError::Url)));
}

#[tokio::test]
async fn a_download_follows_redirects_continues_where_it_stopped_and_reports_progress() {
    let part = "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\n5678".to_owned();
    let (base, asked) = server(vec![
        answer("302 Found", "Location: /elsewhere\r\n", ""),
        part,
        answer("200 OK", "", "12345678"),
    ])
    .await;
    let (client, link, mut progress) = (client(), Link::default(), Vec::new());
    let mut out = b"1234".to_vec();
    let written =
        client.download(&base, &link, 4, &mut out, |done, whole| progress.push((done, whole))).await.unwrap();
    assert_eq!((written, &out[..]), (4, &b"12345678"[..]));
    assert_eq!(progress.last(), Some(&(4, Some(4))));
    let mut whole = Vec::new();
    assert_eq!(client.download(&base, &link, 0, &mut whole, |_, _| {}).await.unwrap(), 8);
    let asked = asked.await.unwrap();
    assert!(
        asked[1].starts_with("GET /elsewhere ") && asked[1].to_ascii_lowercase().contains("range: bytes=4-"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_download_that_is_cut_off_or_refused_is_an_error() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew".to_owned();
    let again = answer("302 Found", "Location: /\r\n", "");
    let mut answers = vec![cut, answer("403 Forbidden", "", "")];
    answers.extend(std::iter::repeat_n(again, REDIRECTS + 1));
    let (base, _asked) = server(answers).await;
    let (client, link, mut out) = (client(), Link::default(), Vec::new());
    assert!(matches!(
        client.download(&base, &link, 0, &mut out, |_, _| {}).await,
        Err(HttpError::Protocol(_))
    ));
    assert_eq!(out, b"few");
    let refused = client.download(&base, &link, 0, &mut out, |_, _| {}).await;
    assert!(matches!(refused, Err(HttpError::Status(StatusCode::FORBIDDEN))), "{refused:?}");
    let round = client.download(&base, &link, 0, &mut out, |_, _| {}).await;
    assert!(matches!(round, Err(HttpError::Redirect)), "{round:?}");
}

/// Answers once over TLS, under the name `localhost`; gives the URL and the root that is to be trusted.
async fn tls_server(answer: String) -> (Url, String) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://localhost:{}/bundle", listener.local_addr().unwrap().port()).parse().unwrap();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // One that does not trust the certificate ends the handshake.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (url, own.cert.pem())
}

#[tokio::test]
async fn https_trusts_the_roots_of_the_settings_and_never_leaves_for_http() {
    let (url, ca) = tls_server(answer("200 OK", "", "secret")).await;
    let trusting = |ca: Option<String>| Client { resolver: Resolver::without_bus(), roots: Roots::new(ca) };
    let response = trusting(Some(ca)).get(&url, &Link::default(), 100).await.unwrap();
    assert_eq!(&response.body[..], b"secret");
    let other = rcgen::generate_simple_self_signed(["other.lab".to_owned()]).unwrap().cert.pem();
    let refused = trusting(Some(other)).get(&url, &Link::default(), 100).await.unwrap_err();
    assert!(
        matches!(&refused, HttpError::Dial(error) if error.kind() == crate::DialErrorKind::Tls),
        "{refused:?}"
    );
    let (url, ca) = tls_server(answer("302 Found", "Location: http://localhost/bundle\r\n", "")).await;
    let mut out = Vec::new();
    let left = trusting(Some(ca)).download(&url, &Link::default(), 0, &mut out, |_, _| {}).await;
    assert!(matches!(left, Err(HttpError::Redirect)), "{left:?}");
}

#[tokio::test]
async fn an_answer_in_chunks_of_unknown_length_is_read_whole() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n";
    let (base, _asked) = server(vec![chunks.into(), chunks.into()]).await;
    let (client, link) = (client(), Link::default());
    assert_eq!(&client.get(&base, &link, 100).await.unwrap().body[..], b"abcdefg");
    let (mut out, mut progress) = (Vec::new(), Vec::new());
    let written =
        client.download(&base, &link, 0, &mut out, |done, whole| progress.push((done, whole))).await;
    assert_eq!((written.unwrap(), &out[..]), (7, &b"abcdefg"[..]));
    assert_eq!(progress.last(), Some(&(7, None)), "the server does not say how long it is");
}

#[tokio::test]
async fn an_answer_of_a_sloppy_router_is_read_all_the_same() {
    let sloppy =
        "HTTP/1.1 302 Found\r\nBad Header : x\r\nLocation: http://login.hotel.example/\r\n\r\n".to_owned();
    let (base, _asked) = server(vec![sloppy]).await;
    let response = client().get(&base, &Link::default(), 0).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), response.header(&LOCATION)),
        (302, Some("http://login.hotel.example/"))
    );
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_panic(answer: Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(64 << 10);
            theirs.write_all(&answer).await.unwrap();
            drop(theirs);
            let request = hyper::Request::new(Full::new(Bytes::new()));
            if let Ok(response) = exchange(ours, request).await {
                let _ = collect(response, 1000).await;
            }
        });
    }
}
