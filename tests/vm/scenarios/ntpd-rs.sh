# ntpd-rs instead of chronyd, through its SOCK source: the configuration in the package, users and permissions as in
# docs/consumers.md, each side killed and restarted.
programs="gnss2shm ntp-daemon setpriv"
judged=checks
lasts=150
clock_limit_ns=20000
sock=/run/ntpd-rs/gnss2shm.sock

scenario() {
	mkdir -p /run/ntpd-rs
	chown 101:101 /run/ntpd-rs
	chmod 666 $tty "$nic"
	start_receiver
	start_bridge
	start_judge
	check "an ntpd-rs that is late is named" until_true 10 says "$sock does not exist"
	start_ntpd_rs
	check "it locks" until_true 20 says " Locked"
	check_clock
	sleep 10 # its first corrections
	since=$(mark)
	sleep 10

	killall -9 ntp-daemon
	check "an ntpd-rs that is gone is named" until_true 5 says "$sock was left behind"
	check "samples come without it" publishes 5
	start_ntpd_rs
	check "that it is back is said" until_true 5 said_times 2 "$sock exists"
	sleep 15
	check_clock_stayed "ntpd-rs killed and restarted" "$since"

	since=$(mark)
	killall -9 gnss2shm
	sleep 5
	start_bridge
	check "gnss2shm is back" until_true 20 says " Locked"
	sleep 15
	check_clock_stayed "gnss2shm killed and restarted" "$since"
	check_judge
	check "the end" true
}

# As user 101, which may set the clock, with UMask=0007.
start_ntpd_rs() {
	start ntp-daemon sh -c "umask 0007; exec /bin/setpriv --reuid 101 --regid 101 --clear-groups --inh-caps +sys_time \
		--ambient-caps +sys_time ntp-daemon -c /usr/share/gnss2shm/ntpd-rs.toml"
}

# As user 102, with SupplementaryGroups=ntpd-rs.
start_bridge() {
	start gnss2shm /bin/setpriv --reuid 102 --regid 102 --groups 101 gnss2shm run --serial $tty --baud "$baud" --phc "$nic" \
		--pin SDP0 --shm "$unit" --sock $sock $extra
}
