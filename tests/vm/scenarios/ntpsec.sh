# NTPsec's ntpd instead of chronyd, with a clock that is 0.3 s off. At start, it sets the kernel's state to synchronized
# with an error of 16 us, to which the kernel adds 0.5 ms per second. If gnss2shm trusted that, it would not publish a
# contradicting time, and ntpd has no other source. Not in tests/run, because its package must be downloaded.
programs="gnss2shm ntpd"
judged=checks
lasts=200
sys_offset=0
clock_limit_ns=10000000 # ntpd steps once and then measures its rate for minutes: the scenario only waits for the step

# The kernel's state of the system clock.
note() {
	echo "$(uptime_s) $1: $(adjtimex | grep -E 'status|error|return' | tr -s ' \n' ' ')" >>/results/figures
}

scenario() {
	cat >/results/ntp.conf <<-END
		refclock shm unit 0 refid GNSS minpoll 2 maxpoll 3
		tos minsane 1
	END
	step system 300000000
	note "300 ms off"
	start_receiver
	start ntpd ntpd -n -g -c /results/ntp.conf -l /results/ntpd-own.log
	sleep 2
	note "ntpd runs"
	had=$(count)
	start_gnss2shm
	start_judge
	check "it has the label" until_true 15 says "Locked\|disagrees"
	note "gnss2shm has the label"
	check "samples come" until_true 20 counted_since "$had"
	note "samples come"
	check_clock
	note "the clock is right"
	check_judge
	check "the end" true
}
