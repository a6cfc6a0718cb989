# What is sent never completes, so the driver resets the adapter every few seconds, for ten minutes: a cable that is half in,
# a switch that pauses for ever. Each time timestamping ends and the clock jumps to the system's time.
programs="gnss2shm"
judged=checks
lasts=720
[ "${nic-sim}" != sim ] || nic=i210
link=1

scenario() {
	start_chronyd
	start_receiver
	start_gnss2shm
	start_judge
	check "it locks" until_true 20 says " Locked"
	name=$(interface)
	ip addr add 192.0.2.1/24 dev "$name"
	ping -q 192.0.2.2 >/dev/null 2>&1 &
	sim link 3
	had=$(count)
	for minute in 1 2 3 4 5 6 7 8 9 10; do
		sleep 60
		check "minute $minute: resets go on" resets_since "${resets-0}"
		resets=$(resets)
	done
	samples=$((($(count) - had) / 2))
	echo "$resets resets and $samples samples in ten minutes" >>/results/figures
	sim link 1
	check_comes_back "nothing hangs any more" 20
	check "samples come all the time again" publishes 8
	check_clock
	check_judge
	check "the end" true
}

resets() {
	dmesg | grep -c "$name: Reset adapter"
}

resets_since() { # count
	echo "$(resets) resets"
	[ "$(resets)" -ge $(($1 + 5)) ]
}
