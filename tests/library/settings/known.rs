//! Every key, and what is allowed.

/// A key of the file: its table, its name, the corresponding option, and what is allowed.
pub(crate) struct Key {
    pub(crate) table: Option<&'static str>,
    pub(crate) name: &'static str,
    pub(crate) option: Option<&'static str>,
    pub(crate) allowed: &'static str,
}

const NAME: &str = "a name or path in quotes";
const SWITCH: &str = "true or false, without quotes";

/// Every key: `every_key_is_listed_here_and_has_its_option` checks it.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    Key { table: None, name: "holdover", option: Some("--holdover"), allowed: "a time from 0s to 24h" },
    Key { table: None, name: "rollover", option: Some("--rollover"), allowed: r#""refuse" or "correct""# },
    Key { table: None, name: "witness", option: Some("--witness"), allowed: r#""block" or "warn" or "off""# },
    Key { table: None, name: "conventions", option: Some("--conventions"), allowed: r#""assume" or "confirm""# },
    Key { table: Some("serial"), name: "device", option: Some("--serial"), allowed: NAME },
    Key { table: Some("serial"), name: "baud", option: Some("--baud"), allowed: "a whole number from 300 to 4000000 or \"auto\"" },
    Key { table: Some("gpsd"), name: "server", option: Some("--gpsd"), allowed: "a host and port, such as \"localhost:2947\", and optionally a device" },
    Key { table: Some("gpsd"), name: "device", option: None, allowed: NAME },
    Key { table: Some("tcp"), name: "server", option: Some("--tcp"), allowed: "a host and port, such as \"localhost:2947\"" },
    Key { table: Some("fifo"), name: "path", option: Some("--fifo"), allowed: NAME },
    Key { table: Some("stdin"), name: "enabled", option: Some("--stdin"), allowed: SWITCH },
    Key { table: Some("phc"), name: "device", option: Some("--phc"), allowed: NAME },
    Key { table: Some("phc"), name: "pin", option: Some("--pin"), allowed: "a pin's name, such as \"SDP0\", or its number, counted from 0" },
    Key { table: Some("phc"), name: "channel", option: Some("--channel"), allowed: "a whole number from 0 to 4294967295" },
    Key { table: Some("pps"), name: "device", option: Some("--pps"), allowed: NAME },
    Key { table: Some("pps"), name: "capture", option: Some("--pps-capture"), allowed: r#""both" or "assert" or "clear""# },
    Key { table: Some("pulse"), name: "width", option: Some("--width"), allowed: "a time from 1ns to less than 1s" },
    Key { table: Some("pulse"), name: "edges", option: Some("--edges"), allowed: r#""one" or "both""# },
    Key { table: Some("pulse"), name: "offset", option: Some("--offset"), allowed: "a time from -1ms to 1ms" },
    Key { table: Some("pulse"), name: "rate", option: Some("--rate"), allowed: "1; set the receiver to one pulse per second" },
    Key { table: Some("sentences"), name: "delay", option: Some("--delay"), allowed: "a time from -1s to less than 5s" },
    Key { table: Some("sentences"), name: "trust-zda", option: Some("--trust-zda"), allowed: SWITCH },
    Key { table: Some("sentences"), name: "sawtooth", option: Some("--sawtooth"), allowed: SWITCH },
    Key { table: Some("shm"), name: "unit", option: Some("--shm"), allowed: "a whole number from 0 to 255" },
    Key { table: Some("shm"), name: "world-writable", option: Some("--shm-world-writable"), allowed: SWITCH },
    Key { table: Some("sock"), name: "path", option: Some("--sock"), allowed: NAME },
    Key { table: Some("record"), name: "path", option: Some("--record"), allowed: NAME },
    Key { table: Some("record"), name: "size", option: Some("--record-size"), allowed: "a size from 100kB to 1000GB" },
    Key { table: Some("status"), name: "socket", option: Some("--status"), allowed: NAME },
    Key { table: Some("metrics"), name: "listen", option: Some("--metrics"), allowed: "a loopback address and port" },
    Key { table: Some("gate"), name: "opens-after", option: Some("--gate-opens-after"), allowed: "a time from 0s to 24h" },
    Key { table: Some("gate"), name: "closes-after", option: Some("--gate-closes-after"), allowed: "a time from 0s to 24h" },
    Key { table: Some("grandmaster"), name: "socket", option: Some("--socket"), allowed: NAME },
    Key { table: Some("grandmaster"), name: "domain", option: Some("--domain"), allowed: "a whole number from 0 to 255" },
    Key { table: Some("grandmaster"), name: "transport-specific", option: Some("--transport-specific"), allowed: "a whole number from 0 to 15" },
    Key { table: Some("grandmaster"), name: "profile", option: Some("--profile"), allowed: r#""1588" or "g8275""# },
    Key { table: Some("grandmaster"), name: "bound", option: Some("--bound"), allowed: "a time from 100ns to 10ms" },
    Key { table: Some("grandmaster"), name: "steady", option: Some("--steady"), allowed: "a time from 0s to 1h" },
    Key { table: Some("grandmaster"), name: "holdover", option: Some("--holdover"), allowed: "a time above 0s up to 168h" },
    Key { table: Some("grandmaster"), name: "holdover-bound", option: Some("--holdover-bound"), allowed: "a time from 100ns to 10ms" },
];
