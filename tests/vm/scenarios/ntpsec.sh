# NTPsec's ntpd instead of chronyd, with the package's lines, and users and start order as in docs/consumers.md. The
# clock is 0.3 s off. At start, ntpd sets the kernel's state to synchronized with an error of 16 us, to which the kernel
# adds 0.5 ms per second. If gnss2shm trusted that, it would not publish a contradicting time, and ntpd has no other
# source.
programs="gnss2shm ntpd setpriv"
judged=checks
lasts=150
sys_offset=0
clock_limit_ns=50000

# The kernel's state of the system clock.
note() {
	echo "$(uptime_s) $1: $(adjtimex | grep -E 'status|error|return' | tr -s ' \n' ' ')" >>/results/figures
}

scenario() {
	mkdir -p /var/lib/ntpsec
	printf 'root:x:0:0::/:/bin/sh\nntpsec:x:101:101::/:/bin/sh\n' >/etc/passwd
	echo 'ntpsec:x:101:' >/etc/group
	chown 101:101 /var/lib/ntpsec
	# As after a day of operation: without it, ntpd measures the rate for minutes first.
	echo "$truth_ppb" | awk '{ printf "%.3f\n", $1 / 1000 }' >/var/lib/ntpsec/ntp.drift
	chmod 666 $tty "$nic"
	step system 300000000
	note "300 ms off"
	start_receiver
	start gnss2shm /bin/setpriv --reuid 102 --regid 102 --clear-groups gnss2shm run --serial $tty --baud "$baud" --phc "$nic" \
		--pin SDP0 --shm "$unit" $extra
	start_judge
	check "the segment exists" until_true 5 judge --peek
	start ntpd ntpd -n -g -N -u ntpsec:ntpsec -c /usr/share/gnss2shm/ntpsec.conf -l /results/ntpd-own.log
	had=$(count)
	check "it has the label" until_true 15 says "Locked\|disagrees"
	note "gnss2shm has the label"
	check "samples come" until_true 20 counted_since "$had"
	note "samples come"
	check_clock
	note "the clock is right"
	since=$(mark)
	sleep 25
	check_clock_stayed "NTPsec" "$since"
	echo "at the end: $(judge --clock)" >>/results/figures
	check_judge
	check "the end" true
}
