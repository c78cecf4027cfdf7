//! Whether the MQTT broker accepts the box: TCP or TLS, CONNECT, CONNACK (MQTT 3.1.1), DISCONNECT. The packets are rumqttc's.
//!
//! The client id is `robocast-proof-DEVICE`: a broker ends the session of a client when another one connects with the same id.

use super::observation::BrokerError;
use bytes::BytesMut;
use robocast_config::{Control, Settings};
use robocast_daemon::journal::chain;
use robocast_dial::{DialError, DialErrorKind, Link, Resolver, Roots, Server};
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Disconnect, Packet};
use rumqttc::mqttbytes::{Error, v4};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A broker that does not answer within this is unreachable.
const PATIENCE: Duration = Duration::from_secs(10);
/// How a CONNACK begins.
const CONNACK: u8 = 0x20;
/// More than any CONNACK.
const LARGEST: usize = 1024;

/// Connects to the broker of the settings, once.
///
/// # Errors
/// Why it does not accept the box.
pub async fn check_broker(settings: &Settings) -> Result<(), BrokerError> {
    let Some(control) = &settings.control else { return Ok(()) };
    let server = Server::new(control.mqtt.host_str().unwrap_or_default(), control.port());
    let asking = async {
        let resolver = Resolver::with_system_bus();
        // As the kernel routes: new settings have no uplink that was chosen yet.
        let tcp =
            server.connect(&resolver, &Link::default(), || ()).await.map_err(|error| dial_error(&error))?;
        let connect = connect(control, &settings.device.name);
        if !control.is_encrypted() {
            return exchange(tcp, &connect).await;
        }
        let roots = Roots::new(settings.tls.ca.clone());
        let tls = roots.handshake(server.host(), tcp).await.map_err(|error| dial_error(&error))?;
        exchange(tls, &connect).await
    };
    match timeout(PATIENCE, asking).await {
        Ok(said) => said,
        Err(_) => Err(BrokerError::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn dial_error(error: &DialError) -> BrokerError {
    match (error.kind(), error) {
        (DialErrorKind::Tls, error) => BrokerError::Tls(chain(error)),
        (_, DialError::Tcp(_, source) | DialError::Handshake(source)) => unreachable(source),
        (_, error) => BrokerError::Unreachable(chain(error)),
    }
}

fn unreachable(error: &io::Error) -> BrokerError {
    BrokerError::Unreachable(match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens at its port".into(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "it closed the connection without an answer".into()
        }
        _ => error.to_string(),
    })
}

fn connect(control: &Control, device: &str) -> Connect {
    let mut connect = Connect::new(format!("robocast-proof-{device}"));
    if let Some(user) = &control.username {
        let password = control.password.as_ref().map(|password| password.expose().as_str());
        connect.set_login(user, password.unwrap_or_default());
    }
    connect
}

/// Sends CONNECT, and waits for the answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connect: &Connect,
) -> Result<(), BrokerError> {
    let foreign = |_: Error| BrokerError::Refused("what answers there does not speak MQTT 3.1.1".into());
    let mut bytes = BytesMut::new();
    connect.write(&mut bytes).map_err(foreign)?;
    stream.write_all(&bytes).await.map_err(|error| unreachable(&error))?;
    bytes.clear();
    let code = loop {
        match Packet::read(&mut bytes, LARGEST) {
            Ok(Packet::ConnAck(v4::ConnAck { code, .. })) => break code,
            Ok(_) => return Err(foreign(Error::InvalidProtocol)),
            Err(Error::InsufficientBytes(_)) => {}
            Err(error) => return Err(foreign(error)),
        }
        if !matches!(bytes.first(), None | Some(&CONNACK)) {
            return Err(foreign(Error::InvalidProtocol));
        }
        if stream.read_buf(&mut bytes).await.map_err(|error| unreachable(&error))? == 0 {
            return Err(unreachable(&ErrorKind::UnexpectedEof.into()));
        }
    };
    let refused = |why: &str| Err(BrokerError::Refused(why.into()));
    match code {
        ConnectReturnCode::Success => {
            bytes.clear();
            if Disconnect.write(&mut bytes).is_ok() {
                // It accepted the box; how the connection ends does not matter.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Ok(())
        }
        ConnectReturnCode::BadUserNamePassword => refused("it says that user or password is wrong"),
        ConnectReturnCode::NotAuthorized => refused("it does not let this user in"),
        ConnectReturnCode::BadClientId => refused("it does not accept the name of the box"),
        ConnectReturnCode::RefusedProtocolVersion => refused("it does not speak MQTT 3.1.1"),
        ConnectReturnCode::ServiceUnavailable => {
            Err(BrokerError::Unreachable("it says that it cannot serve now".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A broker that answers with these bytes; returns the bytes it got.
    async fn broker(answer: &'static [u8], login: &str) -> (Result<(), BrokerError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = format!(
            "schema = 1\n[device]\nname = \"box\"\n[control]\nmqtt = \"mqtt://127.0.0.1:{port}\"\n{login}"
        );
        let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = vec![0; 256];
            let size = stream.read(&mut got).await.unwrap();
            got.truncate(size);
            // Byte by byte: an answer may come in pieces.
            for byte in answer {
                stream.write_all(&[*byte]).await.unwrap();
            }
            got
        };
        tokio::join!(check_broker(&settings), serve)
    }

    #[tokio::test]
    async fn a_broker_accepts_the_box_or_says_why_not() {
        let cases: [(&'static [u8], Result<(), &str>); 7] = [
            (&[0x20, 2, 0, 0], Ok(())),
            (&[0x20, 2, 0, 4], Err("user or password")),
            (&[0x20, 2, 0, 5], Err("let this user in")),
            (&[0x20, 2, 0, 3], Err("cannot serve now")),
            (b"HTTP/1.1 400 InvalidSettings Request\r\n", Err("does not speak MQTT")),
            (&[0x20], Err("without an answer")),
            (&[0xd0, 0], Err("does not speak MQTT")),
        ];
        for (answer, expected) in cases {
            let (said, got) = broker(answer, "username = \"u\"\npassword = \"SECRET\"\n").await;
            match (&said, expected) {
                (Ok(()), Ok(())) => {}
                (Err(fault), Err(words)) => {
                    let fault = format!("{fault:?}");
                    assert!(fault.contains(words) && !fault.contains("SECRET"), "{answer:?}: {fault}");
                }
                _ => panic!("{answer:?}: {said:?}"),
            }
            let got = String::from_utf8_lossy(&got).into_owned();
            assert!(
                got.contains("MQTT") && got.contains("robocast-proof-box") && got.contains("SECRET"),
                "{got}"
            );
        }
    }

    #[tokio::test]
    async fn a_server_without_a_trusted_certificate_or_without_tls_is_told_from_one_that_is_away() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = format!("schema = 1\n[control]\nmqtt = \"mqtts://127.0.0.1:{port}\"\n");
        let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = [0; 1024];
            assert_ne!(stream.read(&mut got).await.unwrap(), 0, "its first message");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream
        };
        let (said, _stream) = tokio::join!(check_broker(&settings), serve);
        assert!(matches!(said, Err(BrokerError::Tls(_))), "{said:?}");
    }

    #[tokio::test]
    async fn a_closed_port_is_not_a_refusal() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        for (scheme, way) in [("mqtt", "nothing listens"), ("mqtts", "nothing listens")] {
            let text = format!("schema = 1\n[control]\nmqtt = \"{scheme}://127.0.0.1:{port}\"\n");
            let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
            let Err(BrokerError::Unreachable(why)) = check_broker(&settings).await else {
                panic!("{scheme}")
            };
            assert!(why.contains(way), "{why}");
        }
    }
}
