# GNSS first, NTP as the fallback, with the package's lines for chronyd: the receiver loses its fix, then its pulse;
# chronyd follows the servers, which are up to 0.5 ms off, and returns. All along, the clock is at most 1 ms off and
# never stepped.
programs="gnss2shm"
judged=checks
lasts=170

scenario() {
	ifconfig lo 127.0.0.1 up
	for n in 1 2 3; do
		start sntp$n sntp 127.0.0.$n $((100000 * n)) 200000 1000000
	done
	start_chronyd "$(fallback_lines)"
	start_receiver --invalid 40:75
	began=$(uptime_s)
	start_gnss2shm --status /run/status
	start_judge
	check "it locks" until_true 15 says " Locked"
	check "chronyd follows GNSS" until_true 20 followed
	check_clock

	clock_limit_ns=1000000
	since=$(mark)
	steps=$(steps)
	at 41
	check "a lost fix stops the samples" until_true 5 says "no valid fix"
	sim pulse 0
	check "the gate closes" until_true 15 gate_is_closed
	check "chronyd follows a server" until_true 60 follows_a_server
	echo "without GNSS for $(since_fix_was_lost) s: $(judge --clock)" >>/results/figures
	sleep 5
	echo "without GNSS for $(since_fix_was_lost) s: $(judge --clock)" >>/results/figures
	sim pulse 1
	at 76
	check_comes_back "the fix and the pulse are back" 20
	check "chronyd returns to GNSS" until_true 30 followed
	check "the gate opens" until_true 15 gate_is_open
	check_clock_stayed "GNSS, NTP, GNSS" "$since"
	check "the clock was never stepped" test "$(steps)" = "$steps"
	clock_limit_ns=1000
	check_clock
	check_judge
	check "the end" true
}

# The package's lines for chronyd, with servers in this guest. chronyd keeps an unreachable source while it remembers an
# older sample of a server: here, it remembers six seconds, and usually many minutes.
fallback_lines() {
	sed '/^#/d; s/ntp\([0-9]\).example.net/127.0.0.\1 minpoll 0 maxpoll 0 maxsamples 6/' \
		/usr/share/gnss2shm/chrony-fallback.conf
}

follows_a_server() {
	chronyc -n sources | grep -q '^^\*'
}

gate_is_open() {
	gnss2shm status --socket /run/status --check
}

gate_is_closed() {
	! gate_is_open
}

# Steps of the clock by chronyd.
steps() {
	grep -c "was stepped" /results/chronyd.log
}

since_fix_was_lost() {
	awk -v began="$began" '{ printf "%.0f", $1 - began - 40 }' /proc/uptime
}
