//! The choice by table and property; NTP against a server on this machine.

use super::*;
use proptest::prelude::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

const IMAGE: u64 = 1_790_000_000;

fn known(now: u64, saved: Option<u64>, robot: Option<u64>, synchronized: bool) -> Candidates {
    Candidates { now: at(now), image: at(IMAGE), saved: saved.map(at), robot: robot.map(at), synchronized }
}

#[test]
fn the_latest_plausible_time_sets_the_clock() {
    let day = 86_400;
    let table = [
        ("1970, nothing known", known(3, None, None, false), Some((IMAGE, "the time of the image"))),
        ("saved", known(3, Some(IMAGE + day), None, false), Some((IMAGE + day, "the clock saved before"))),
        (
            "the robot knows",
            known(3, Some(IMAGE + day), Some(IMAGE + 2 * day), false),
            Some((IMAGE + 2 * day, "the robot's clock")),
        ),
        (
            "the robot is in 1970 too",
            known(3, Some(IMAGE + day), Some(9), false),
            Some((IMAGE + day, "the clock saved before")),
        ),
        ("the robot is in 2106", known(IMAGE, None, Some(4_294_967_295), false), None),
        ("the robot is behind", known(IMAGE + day, None, Some(IMAGE + 60), false), None),
        ("the robot is close", known(IMAGE + day, None, Some(IMAGE + day + 1), false), None),
        ("NTP keeps it", known(IMAGE + day, None, Some(IMAGE + 2 * day), true), None),
        ("NTP says that it does", known(3, None, None, true), Some((IMAGE, "the time of the image"))),
    ];
    for (what, known, expected) in table {
        let expected = expected.map(|(to, source)| BestTime { time: at(to), source });
        assert_eq!(best_time(&known), expected, "{what}");
    }
}

proptest! {
    #[test]
    fn it_never_goes_below_the_image_nor_backwards_and_once_is_enough(
        now in 0..u64::from(u32::MAX), saved: Option<u32>, robot: Option<u32>, synchronized: bool
    ) {
        let mut known = known(now, saved.map(u64::from), robot.map(u64::from), synchronized);
        if let Some(set) = best_time(&known) {
            prop_assert!(set.time >= known.image && set.time > known.now);
            known.now = set.time;
        }
        prop_assert!(known.now + CLOSE >= known.image, "TLS would not work");
        prop_assert_eq!(best_time(&known), None);
    }

    #[test]
    fn no_saved_clock_makes_it_panic(text in "\\PC*") {
        let folder = tempfile::tempdir().unwrap();
        atomic::write(&folder.path().join(SAVED_CLOCK), text.as_bytes(), 0o600).unwrap();
        let _ = saved_time(folder.path());
    }

    #[test]
    fn a_saved_clock_is_read_back(seconds in 0..u64::from(u32::MAX)) {
        let folder = tempfile::tempdir().unwrap();
        prop_assert_eq!(saved_time(folder.path()), None);
        save_time(folder.path(), at(seconds)).unwrap();
        prop_assert_eq!(saved_time(folder.path()), Some(at(seconds)));
    }

    #[test]
    fn no_answer_makes_it_panic_nor_lie(answer in proptest::collection::vec(any::<u8>(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The time that is asked for is a copy of the question's: noise has none.
        prop_assert!(runtime.block_on(exchange(move |_| answer)).is_err());
    }
}

/// Asks a server that answers like this.
async fn exchange(answer: impl FnOnce(&[u8]) -> Vec<u8>) -> io::Result<SystemTime> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let serve = async {
        let mut buffer = [0; 128];
        let (length, from) = server.recv_from(&mut buffer).await?;
        server.send_to(&answer(&buffer[..length]), from).await
    };
    tokio::join!(ask_ntp(&socket, address, at(IMAGE)), serve).0
}

/// An answer as in RFC 4330, 5: of stratum 2, at `seconds` of Unix time.
fn reply(question: &[u8], seconds: u64, leap: u8) -> Vec<u8> {
    let mut packet = vec![0; 48];
    packet[0] = (leap << 6) | (4 << 3) | 4;
    packet[1] = 2;
    packet[3] = 0xec;
    let ntp = u32::try_from((seconds + 2_208_988_800) & 0xffff_ffff).unwrap().to_be_bytes();
    packet[24..32].copy_from_slice(&question[40..48]);
    for field in [16, 32, 40] {
        packet[field..field + 4].copy_from_slice(&ntp);
    }
    packet
}

#[tokio::test]
async fn a_server_is_asked_and_one_whose_clock_is_not_set_is_rejected() {
    let told = exchange(|question| reply(question, IMAGE + 5000, 0)).await.unwrap();
    let off = told.duration_since(at(IMAGE + 5000)).unwrap();
    assert!(off < Duration::from_secs(1), "{off:?}");
    // After 2036 the count starts again.
    let told = exchange(|question| reply(question, 2_100_000_000, 0)).await.unwrap();
    assert!(told >= at(2_100_000_000) && told < at(2_100_000_005), "{told:?}");
    let error = exchange(|question| reply(question, IMAGE, 3)).await.unwrap_err();
    assert!(error.to_string().contains("Unsynchronized"), "{error}");
    let stranger = exchange(|question| {
        let mut reply = reply(question, IMAGE, 0);
        reply[24] ^= 1;
        reply
    });
    assert!(stranger.await.is_err());
}
