# The cable is unplugged during transmission, every eight seconds for ten minutes: the transmission never completes, so
# the driver resets the adapter. Each time, timestamping stops and the clock jumps to system time.
programs="gnss2shm"
judged=checks
lasts=900
needs=card

scenario() {
	start_chain 20
	netdev=$(interface)
	ip addr add 192.0.2.1/24 dev "$netdev"
	ping -q 192.0.2.2 >/dev/null 2>&1 & # no answer, so an ARP request is sent every second
	had=$(count) before=0
	for minute in 1 2 3 4 5 6 7 8 9 10; do
		ends=$(($(uptime_s | cut -d . -f 1) + 60))
		while [ "$(uptime_s | cut -d . -f 1)" -lt "$ends" ]; do
			sim link 3
			sleep 4
			sim link 2
			sleep 4
		done
		check "minute $minute: resets go on" resets_since $before
		before=$resets
	done
	echo "$resets resets and $((($(count) - had) / 2)) samples in ten minutes" >>/results/figures
	sim link 1
	check_comes_back "the cable is in again" 20
	sleep 10 # the last reset
	check "samples come all the time again" publishes 8
	check_clock
	check_judge
	check "the end" true
}

# Otherwise, the kernel's log would overflow.
resets_since() { # count
	dmesg -c >>/results/kernel.log
	resets=$(grep -c "$netdev: Reset adapter" /results/kernel.log)
	echo "$resets resets"
	[ "$resets" -ge $(($1 + 5)) ]
}
