//! Tests of the session against a small test server that uses the same chunk library, and against hostile bytes. The tests
//! of the whole program use real servers.

use super::*;
use crate::protocol::rtmp::test_server::{TestServer, status, unit};
use proptest::prelude::*;
use robocast_config::{RtmpTarget, SinkTarget, SinkUrl};

fn target() -> RtmpTarget {
    match "rtmp://host/live/key?user=U".parse::<SinkUrl>().unwrap().target {
        SinkTarget::Rtmp(target) => target,
        other => panic!("{other:?}"),
    }
}

/// Exchanges bytes in both directions until there are none left.
fn exchange(session: &mut Session, server: &mut TestServer) -> Result<(), SessionError> {
    loop {
        let out = session.take_output();
        if !out.is_empty() {
            server.input(&out);
        }
        let reply = std::mem::take(&mut server.reply);
        if out.is_empty() && reply.is_empty() {
            return Ok(());
        }
        if !reply.is_empty() {
            session.input(&reply)?;
        }
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A session for which the server has answered `connect`.
fn connected() -> (Session, TestServer) {
    let (mut session, mut server) = (Session::new(target()).unwrap(), TestServer::new());
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CONNECT, vec![]);
    exchange(&mut session, &mut server).unwrap();
    assert!(session.connected());
    (session, server)
}

fn published(after: Option<Duration>) -> (Session, TestServer) {
    let (mut session, mut server) = connected();
    session.publish(after).unwrap();
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CREATE_STREAM, vec![Amf0Value::Number(1.0)]);
    exchange(&mut session, &mut server).unwrap();
    assert!(!session.publishing());
    server.command("onStatus", 0.0, status("NetStream.Publish.Start", "status"));
    exchange(&mut session, &mut server).unwrap();
    assert!(session.publishing());
    (session, server)
}

#[test]
fn a_session_asks_for_what_servers_expect_in_their_order() {
    let (_, server) = published(None);
    let commands = server.commands();
    let names: Vec<&str> = commands.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["connect", "releaseStream", "FCPublish", "createStream", "publish"]);
    assert_eq!(commands[4].1, [text("key?user=U"), text("live")]);
}

#[test]
fn video_begins_with_metadata_and_the_sequence_header_and_repeats_it_only_when_it_changes() {
    let (mut session, mut server) = published(None);
    session.video(&unit(false, 10), ms(5)).unwrap();
    for n in 0..4 {
        session.video(&unit(n % 2 == 0, 200_000), ms(10 + n * 40)).unwrap();
    }
    exchange(&mut session, &mut server).unwrap();
    let videos = server.videos();
    let kinds: Vec<[u8; 2]> = videos.iter().map(|(data, _)| [data[0], data[1]]).collect();
    assert_eq!(kinds, [[0x17, 0], [0x17, 1], [0x27, 1], [0x17, 1], [0x27, 1]]);
    assert_eq!(videos.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [10, 10, 50, 90, 130]);
    assert!(server.seen.iter().any(|(message, _)| matches!(message, RtmpMessage::Amf0Data { .. })));
}

#[test]
fn times_increase_after_an_earlier_session_and_after_a_repeated_unit() {
    let (mut session, mut server) = published(Some(ms(1000)));
    for at in [900, 940, 980, 1020] {
        session.video(&unit(at == 900, 10), ms(at)).unwrap();
    }
    exchange(&mut session, &mut server).unwrap();
    let times: Vec<u32> = server.videos().iter().skip(1).map(|(_, ms)| *ms).collect();
    assert_eq!(times, [1001, 1002, 1003, 1020]);
}

#[test]
fn times_continue_past_four_hours_and_past_seven_weeks() {
    for start in [0x00ff_ffff - 50, u32::MAX - 50] {
        let (mut session, mut server) = published(None);
        for n in 0..6 {
            session.video(&unit(n == 0, 70_000), ms(u64::from(start) + n * 40)).unwrap();
        }
        exchange(&mut session, &mut server).unwrap();
        let expected: Vec<u32> = (0..6).map(|n| start.wrapping_add(n * 40)).collect();
        assert_eq!(server.videos().iter().skip(1).map(|(_, ms)| *ms).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_server_that_refuses_is_quoted_on_one_line() {
    let (mut session, mut server) = (Session::new(target()).unwrap(), TestServer::new());
    exchange(&mut session, &mut server).unwrap();
    server.command("_error", CONNECT, status("NetConnection.Connect.Rejected", "error"));
    let error = exchange(&mut session, &mut server).unwrap_err();
    let expected = "the server refuses to connect: NetConnection.Connect.Rejected, becauseof that";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_taken_name_is_not_a_refusal() {
    let (mut session, mut server) = connected();
    session.publish(None).unwrap();
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CREATE_STREAM, vec![Amf0Value::Number(1.0)]);
    exchange(&mut session, &mut server).unwrap();
    server.command("onStatus", 0.0, status("NetStream.Publish.BadName", "error"));
    let error = exchange(&mut session, &mut server).unwrap_err();
    assert!(matches!(error, SessionError::Busy(_)), "{error}");
}

#[test]
fn a_session_asks_to_publish_only_on_request() {
    let (mut session, mut server) = connected();
    let asked = |server: &TestServer| server.commands().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(asked(&server), ["connect"]);
    session.publish(Some(ms(77))).unwrap();
    exchange(&mut session, &mut server).unwrap();
    assert_eq!(asked(&server), ["connect", "releaseStream", "FCPublish", "createStream"]);
    assert_eq!(session.last_time(), Some(ms(77)));
}

#[test]
fn pings_are_answered_and_the_window_is_acknowledged() {
    let (mut session, mut server) = published(None);
    server.send(RtmpMessage::WindowAcknowledgement { size: 100 });
    server.send(RtmpMessage::UserControl {
        event_type: UserControlEventType::PingRequest,
        stream_id: None,
        buffer_length: None,
        timestamp: Some(RtmpTimestamp::new(77)),
    });
    exchange(&mut session, &mut server).unwrap();
    let pong = |message: &RtmpMessage| matches!(message, RtmpMessage::UserControl { event_type: UserControlEventType::PingResponse, timestamp: Some(t), .. } if t.value == 77);
    assert!(server.seen.iter().any(|(message, _)| pong(message)));
    assert!(server.seen.iter().any(|(message, _)| matches!(message, RtmpMessage::Acknowledgement { .. })));
}

proptest! {
    #[test]
    fn a_hostile_server_never_makes_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400), after_handshake: bool, piece in 1usize..50
    ) {
        let mut session = if after_handshake { published(None).0 } else { Session::new(target()).unwrap() };
        for piece in bytes.chunks(piece) {
            if session.input(piece).is_err() { break; }
        }
    }

    #[test]
    fn a_damaged_answer_never_makes_it_panic(at: prop::sample::Index, to: u8) {
        let (mut session, mut server) = (Session::new(target()).unwrap(), TestServer::new());
        exchange(&mut session, &mut server).unwrap();
        server.command("_result", CONNECT, status("NetConnection.Connect.Success", "status"));
        server.command("_result", CREATE_STREAM, vec![Amf0Value::Number(1.0)]);
        let mut reply = std::mem::take(&mut server.reply);
        let at = at.index(reply.len());
        reply[at] = to;
        let _ = session.input(&reply);
    }
}
