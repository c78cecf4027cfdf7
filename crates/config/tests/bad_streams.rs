//! Streams and robots with invalid values, with all the problems that they cause.

mod table;

use table::expect_problems;

#[test]
fn an_invalid_name_is_refused() {
    expect_problems(
        r#"schema = 1
[device]
name = "Spot 07"
"#,
        r#"3:8: error: the name `Spot 07` has characters other than a-z, 0-9 and `-`
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = "-a"
"#,
        r#"3:8: error: the name `-a` starts or ends with `-`
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = ""
"#,
        r#"3:8: error: the name `` is empty
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
"#,
        r#"3:8: error: the name `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is longer than 32 characters
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a/b"
source = "test:"
"#,
        r#"3:8: error: the name `a/b` has characters other than a-z, 0-9 and `-`
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
"#,
    );
}

#[test]
fn a_robot_that_does_not_exist_is_refused() {
    expect_problems(
        r#"schema = 1
[robot]
kind = "spto"
"#,
        r#"3:8: error: unknown kind of robot `spto`
  hint: did you mean `spot`?
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "cat"
"#,
        r#"3:8: error: unknown kind of robot `cat`
  hint: write `spot`, `go2` or `none`
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
address = "192.168.50.10/24"
own_address = "192.168.50.10"
interface = "a/b"
password = ""
"#,
        r#"3:11: error: `192.168.50.10/24` is not an IP address
  hint: leave out the prefix length: "192.168.50.10"
4:15: error: `192.168.50.10` has no prefix length
  hint: add the network's, such as "192.168.50.10/24"
5:13: error: `a/b` is not the name of a network interface
  hint: 1 to 15 letters, digits, `.`, `_` or `-`, such as "eth0"
6:12: error: the text is empty
  hint: leave the key out, or give it a value
"#,
    );
}

#[test]
fn a_number_out_of_range_is_refused() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
fps = 0
size = "1281x720"
keyframe_interval = "10 ms"
jitter_buffer = "10 s"
"#,
        r#"5:7: error: `fps` is out of range
  hint: write a number from 1 to 240
6:8: error: width 1281 is odd
  hint: an encoder needs even numbers: 1280 or 1282
7:21: error: `keyframe_interval` is out of range
  hint: write a duration from 100 ms to 60 s
8:17: error: `jitter_buffer` is out of range
  hint: write a duration from 0 s to 5 s
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
fps = 99999999999999
"#,
        r#"5:7: error: `fps` is out of range
  hint: write a number from 1 to 240
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrate = { min = "0 bit/s", max = "200 Mbit/s" }
"#,
        r#"5:19: error: a bitrate of 0 carries nothing
  hint: write at least "1 kbit/s"
5:36: error: bitrate 200 Mbit/s is too high
  hint: write at most "100 Mbit/s"
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrate = { min = "300", max = 400 }
"#,
        r#"5:19: error: bitrate `300` has no unit
  hint: write it with its unit, such as "300 kbit/s" or "1.4 Mbit/s"
5:32: error: `max` is a whole number, expected text
  hint: write `max = "4 Mbit/s"`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
encode = "hw"
start = "ondemand"
"#,
        r#"5:10: error: unknown value of `encode` `hw`
  hint: write `auto`, `never` or `always`
6:9: error: unknown value of `start` `ondemand`
  hint: did you mean `on-demand`?
"#,
    );
}

#[test]
fn an_invalid_source_is_refused() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "go3:"
"#,
        r#"4:10: error: unknown source `go3:`
  hint: did you mean `go2:`?
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "spot"
"#,
        r#"4:10: error: the source has no `:`
  hint: did you mean `spot:`?
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "spot:front"
"#,
        r#"4:10: error: `spot:` takes nothing after the colon
  hint: give the robot's address, user and password under [robot]
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "rtp://h:5004"
"#,
        r#"4:10: error: an RTP source needs an IP address
  hint: the form is rtp://230.1.1.1:1720, or rtp://0.0.0.0:5004 to listen
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "rtp://230.1.1.1"
"#,
        r#"4:10: error: the RTP URL has no port
  hint: the form is rtp://230.1.1.1:1720, or rtp://0.0.0.0:5004 to listen
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "rtp://230.1.1.1:0"
"#,
        r#"4:10: error: port 0 cannot be reached
  hint: the form is rtp://230.1.1.1:1720
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "rtp://230.1.1.1:1720?interfase=eth0"
"#,
        r#"4:10: error: unknown option `interfase`
  hint: did you mean `interface`?
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "rtsp://h/?transport=quic"
"#,
        r#"4:10: error: unknown transport `quic`
  hint: write `tcp`, `udp` or `auto`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "rtps://u:hunter2@h/"
"#,
        r#"4:10: error: no source speaks `rtps://`
  hint: did you mean `rtsp://`? known: rtsp://, rtsps://, rtp://
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "v4l2:0"
"#,
        r#"4:10: error: `v4l2:` needs an absolute path
  hint: the form is v4l2:/dev/video0
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "http://h/video"
"#,
        r#"4:10: error: no source speaks `http://`
  hint: known: rtsp://, rtsps://, rtp://
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = ""
"#,
        r#"4:10: error: the source has no `:`
  hint: write one of spot:, go2:, rtsp://..., rtsps://..., rtp://ADDRESS:PORT, v4l2:/dev/video0, libcamera:0, argus:0, test: or file:/PATH
"#,
    );
}

#[test]
fn an_invalid_sink_is_refused() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["rtpm://h/app/KEY"]
"#,
        r#"5:9: error: no sink speaks `rtpm://`
  hint: did you mean `rtmp://`? known: rtmp://, rtmps://, srt://, whip://, whips://, rtsp://, rtsps://
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["rtmp://h/app", "rtmp://h"]
"#,
        r#"5:9: error: the RTMP URL has no stream key
  hint: the form is rtmp://HOST/APP/KEY
5:25: error: the RTMP URL has no app and no stream key
  hint: the form is rtmp://HOST/APP/KEY
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["https://h/whip"]
"#,
        r#"5:9: error: no sink speaks `https://`
  hint: a WHIP endpoint is written `whips://`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["srt://h"]
"#,
        r#"5:9: error: the SRT URL has no port
  hint: the form is srt://HOST:PORT?streamid=ID
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["gopher://h/x"]
"#,
        r#"5:9: error: no sink speaks `gopher://`
  hint: known: rtmp://, rtmps://, srt://, whip://, whips://, rtsp://, rtsps://
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["KEY"]
"#,
        r#"5:9: error: not a URL
  hint: the form is rtmps://HOST/APP/KEY
"#,
    );
}
