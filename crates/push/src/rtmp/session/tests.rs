//! The session against a small server of the test's own that speaks with the same chunk library, and
//! against hostile bytes. The real servers are in the whole-program tests.

use super::*;
use crate::rtmp::test_server::{Server, status, unit};
use proptest::prelude::*;
use robocast_config::{RtmpTarget, SinkTarget, SinkUrl};

fn target() -> RtmpTarget {
    match "rtmp://host/live/key?user=U".parse::<SinkUrl>().unwrap().target {
        SinkTarget::Rtmp(target) => target,
        other => panic!("{other:?}"),
    }
}

/// Carries bytes both ways until nobody has any left.
fn exchange(session: &mut Session, server: &mut Server) -> Result<Option<Event>, SessionError> {
    let mut event = None;
    loop {
        let out = session.take_output();
        if !out.is_empty() {
            server.input(&out);
        }
        let reply = std::mem::take(&mut server.reply);
        if out.is_empty() && reply.is_empty() {
            return Ok(event);
        }
        if !reply.is_empty() {
            event = session.input(&reply)?.or(event);
        }
    }
}

fn published(after: Option<u32>) -> (Session, Server) {
    let (mut session, mut server) = (Session::new(target(), after).unwrap(), Server::new());
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CONNECT, vec![]);
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CREATE_STREAM, vec![Amf0Value::Number(1.0)]);
    exchange(&mut session, &mut server).unwrap();
    assert!(!session.publishing());
    server.command("onStatus", 0.0, status("NetStream.Publish.Start", "status"));
    assert_eq!(exchange(&mut session, &mut server).unwrap(), Some(Event::Publishing));
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
    session.video(&unit(false, 10), 5).unwrap();
    for n in 0..4 {
        session.video(&unit(n % 2 == 0, 200_000), 10 + n * 40).unwrap();
    }
    exchange(&mut session, &mut server).unwrap();
    let videos = server.videos();
    let kinds: Vec<[u8; 2]> = videos.iter().map(|(data, _)| [data[0], data[1]]).collect();
    assert_eq!(kinds, [[0x17, 0], [0x17, 1], [0x27, 1], [0x17, 1], [0x27, 1]]);
    assert_eq!(videos.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [10, 10, 50, 90, 130]);
    assert!(server.seen.iter().any(|(message, _)| matches!(message, RtmpMessage::Amf0Data { .. })));
}

#[test]
fn times_rise_over_a_session_before_and_over_what_comes_twice() {
    let (mut session, mut server) = published(Some(1000));
    for ms in [900, 940, 980, 1020] {
        session.video(&unit(ms == 900, 10), ms).unwrap();
    }
    exchange(&mut session, &mut server).unwrap();
    let times: Vec<u32> = server.videos().iter().skip(1).map(|(_, ms)| *ms).collect();
    assert_eq!(times, [1001, 1002, 1003, 1020]);
}

#[test]
fn times_go_on_over_the_four_hour_and_the_seven_week_mark() {
    for start in [0x00ff_ffff - 50, u32::MAX - 50] {
        let (mut session, mut server) = published(None);
        let sent: Vec<u32> = (0..6u32).map(|n| start.wrapping_add(n * 40)).collect();
        for (n, ms) in sent.iter().enumerate() {
            session.video(&unit(n == 0, 70_000), *ms).unwrap();
        }
        exchange(&mut session, &mut server).unwrap();
        assert_eq!(server.videos().iter().skip(1).map(|(_, ms)| *ms).collect::<Vec<_>>(), sent);
    }
}

#[test]
fn a_server_that_refuses_is_quoted_on_one_line() {
    let (mut session, mut server) = (Session::new(target(), None).unwrap(), Server::new());
    exchange(&mut session, &mut server).unwrap();
    server.command("_error", CONNECT, status("NetConnection.Connect.Rejected", "error"));
    let error = exchange(&mut session, &mut server).unwrap_err();
    let expected = "the server refuses to connect: NetConnection.Connect.Rejected, becauseof that";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_taken_name_is_told_from_a_refusal() {
    let (mut session, mut server) = (Session::new(target(), None).unwrap(), Server::new());
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CONNECT, vec![]);
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CREATE_STREAM, vec![Amf0Value::Number(1.0)]);
    exchange(&mut session, &mut server).unwrap();
    server.command("onStatus", 0.0, status("NetStream.Publish.BadName", "error"));
    let error = exchange(&mut session, &mut server).unwrap_err();
    assert!(matches!(error, SessionError::Busy(_)), "{error}");
}

#[test]
fn a_session_that_is_held_asks_to_publish_only_when_told_to() {
    let (session, mut server) = (Session::new(target(), None).unwrap(), Server::new());
    let mut session = session.held();
    exchange(&mut session, &mut server).unwrap();
    server.command("_result", CONNECT, vec![]);
    exchange(&mut session, &mut server).unwrap();
    let asked = |server: &Server| {
        let named = |(message, _): &(RtmpMessage, u32)| match message {
            RtmpMessage::Amf0Command { command_name, .. } => Some(command_name.clone()),
            _ => None,
        };
        server.seen.iter().filter_map(named).collect::<Vec<_>>()
    };
    assert!(session.connected());
    assert_eq!(asked(&server), ["connect"]);
    session.publish(Some(77)).unwrap();
    exchange(&mut session, &mut server).unwrap();
    assert_eq!(asked(&server), ["connect", "releaseStream", "FCPublish", "createStream"]);
    assert_eq!(session.last_ms(), Some(77));
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
        let mut session = if after_handshake { published(None).0 } else { Session::new(target(), None).unwrap() };
        for piece in bytes.chunks(piece) {
            if session.input(piece).is_err() { break; }
        }
    }

    #[test]
    fn a_damaged_answer_never_makes_it_panic(at: prop::sample::Index, to: u8) {
        let (mut session, mut server) = (Session::new(target(), None).unwrap(), Server::new());
        exchange(&mut session, &mut server).unwrap();
        server.command("_result", CONNECT, status("NetConnection.Connect.Success", "status"));
        server.command("_result", CREATE_STREAM, vec![Amf0Value::Number(1.0)]);
        let mut reply = std::mem::take(&mut server.reply);
        let at = at.index(reply.len());
        reply[at] = to;
        let _ = session.input(&reply);
    }
}
