use super::*;

#[test]
fn times_are_read_strictly() {
    let noon = UtcSecond::from_posix(1_795_176_000);
    for (text, want) in [
        ("2026-11-20T12:00:00.000Z", Some(noon)),
        ("2026-11-20T12:00:00Z", Some(noon)),
        ("2026-11-20T11:59:59.999Z", Some(noon)),
        ("2026-11-20T12:00:00.200Z", None),
        ("2026-12-31T23:59:60.000Z", None),
        ("2026-11-31T12:00:00.000Z", None),
        ("2026-11-20T24:00:00.000Z", None),
        ("2026-11-20T12:00:00.000", None),
        ("2026-11-20T12:00:00.Z", None),
        ("2026-11-20T12:00:00.0000000001Z", None),
        ("2026-11-20T+1:00:00.000Z", None),
        ("", None),
    ] {
        assert_eq!(time(text), want, "{text}");
    }
}

#[test]
fn a_time_of_day_is_a_whole_second_or_none() {
    for (sec, nsec, want) in
        [(5, 0, Some(5)), (5, 7, Some(5)), (4, 999_999_995, Some(5)), (5, 200_000_000, None), (5, -1, None)]
    {
        assert_eq!(whole(sec, nsec), want.map(UtcSecond::from_posix), "{sec} {nsec}");
    }
    assert_eq!(whole(i64::MAX, 999_999_999), Some(UtcSecond::from_posix(i64::MAX)));
}

#[test]
fn fields_may_be_missing_and_unknown() {
    for line in [
        r#"{"class":"VERSION"}"#,
        r#"{"class":"VERSION","release":null,"proto_major":"x","proto_minor":65536}"#,
        r#"{"class":"VERSION","release":"4.0","rev":"4","proto_major":16,"proto_minor":1,"remote":"gpsd://h","new":[]}"#,
        r#"{"class":"DEVICE"}"#,
        r#"{"class":"DEVICE","path":"/d","driver":null,"bps":null,"activated":null}"#,
        r#"{"class":"DEVICE","path":"/d","readonly":"true","sernum":"7","subtype1":"x","mincycle":0.02,"new":{}}"#,
        r#"{"class":"DEVICES"}"#,
        r#"{"class":"DEVICES","devices":null,"remote":"gpsd://h"}"#,
        r#"{"class":"WATCH"}"#,
        r#"{"class":"WATCH","enable":true,"json":true,"nmea":true,"raw":0,"scaled":false,"timing":true,"split24":false,"pps":true,"device":"/d","new":7}"#,
    ] {
        assert!(serde_json::from_str::<Message>(line).is_ok(), "{line}");
    }
    let list = r#"{"class":"DEVICES","devices":[{},{"class":"DEVICE","path":"/d","new":7},{"driver":"PPS"}]}"#;
    let Ok(Message::Devices { devices: Some(devices) }) = serde_json::from_str(list) else { panic!("{list}") };
    let receivers: Vec<_> = devices.iter().filter(|device| device.is_receiver()).map(|device| &device.path).collect();
    assert_eq!(receivers, ["/d"], "those that have a name");
}

#[test]
fn devices_are_open_or_not_however_that_is_written() {
    for (device, open) in [
        (r#"{"class":"DEVICE","path":"/dev/ttyUSB0","activated":0}"#, false),
        (r#"{"class":"DEVICE","path":"/dev/ttyUSB0","activated":1795176000.25,"bps":115200}"#, true),
        (r#"{"class":"DEVICE","path":"/dev/ttyUSB0","activated":"2026-11-20T12:00:00.000Z","bps":460800}"#, true),
        (r#"{"class":"DEVICE","path":"/dev/ttyUSB0"}"#, false),
    ] {
        let Ok(Message::Device(read)) = serde_json::from_str(device) else { panic!("{device}") };
        assert_eq!(read.is_open(), open, "{device}");
    }
}

#[test]
fn a_fix_is_by_satellites() {
    for (tpv, fix) in [
        (r#"{"class":"TPV","mode":3}"#, true),
        (r#"{"class":"TPV","mode":2,"status":2}"#, true),
        (r#"{"class":"TPV","mode":3,"status":7}"#, true),
        (r#"{"class":"TPV","mode":1}"#, false),
        (r#"{"class":"TPV","mode":0}"#, false),
        (r#"{"class":"TPV","mode":3,"status":5}"#, false),
        (r#"{"class":"TPV","mode":3,"status":8}"#, false),
    ] {
        let Ok(Message::Tpv(read)) = serde_json::from_str(tpv) else { panic!("{tpv}") };
        assert_eq!(read.has_fix(), fix, "{tpv}");
    }
}

fn lines(reads: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for read in reads {
        lines.push(read, |line| found.push(line.to_vec()));
    }
    found
}

#[test]
fn lines_come_whole_however_they_were_read() {
    for reads in [&[&b"one\r\n\r\ntwo\n"[..]][..], &[b"o", b"ne\r", b"\n\ntwo", b"\nthr"]] {
        assert_eq!(lines(reads), [b"one", b"two"]);
    }
}

#[test]
fn a_line_of_a_megabyte_is_not_kept() {
    let mut lines = Lines::default();
    for _ in 0..1_024 {
        lines.push(&[b'x'; 1_024], |line| panic!("{} bytes", line.len()));
        assert!(lines.0.capacity() <= LINE_MAX);
    }
    let mut found = Vec::new();
    lines.push(b"\nnext\n", |line| found.push(line.to_vec()));
    assert_eq!(found, [b"next"]);
}
