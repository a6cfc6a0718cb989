# What chronyd does if its sources disagree: one NTP server that is 50 ms off, then three right servers and a receiver that
# names the wrong second; each with the refclock line as it is, with `prefer`, and with `trust`.
programs="gnss2shm"
judged=checks
lasts=330

scenario() {
	ifconfig lo 127.0.0.1 up
	start_receiver
	start_gnss2shm --witness off
	start_judge
	check "it locks" until_true 20 says " Locked"
	start sntp1 sntp 127.0.0.1 50000000 200000
	for options in "" prefer trust; do
		outcome "one server, 50 ms off" "$options" 127.0.0.1
	done
	killall sntp gnss2shm nmea-gen
	sleep 1
	for n in 1 2 3; do
		start sntp$n sntp 127.0.0.$n 300000 200000
	done
	start_receiver --off 1
	start_gnss2shm --witness off
	sleep 8
	for options in "" prefer trust; do
		outcome "three right servers, the receiver 1 s off" "$options" 127.0.0.1 127.0.0.2 127.0.0.3
	done
	check "the end" true
}

# outcome SITUATION OPTIONS SERVERS...: starts chronyd with these and a clock that is 10 ms off, and prints what it did.
outcome() {
	situation=$1 options=$2
	shift 2
	now=$(judge --clock); now=${now#*=}
	step system $((10000000 - now))
	start_chronyd "$(refclock_shm) $options
		$(for server in "$@"; do echo "server $server minpoll 1 maxpoll 2 iburst"; done)"
	sleep 25
	{
		echo "$situation, \"$options\": $(judge --clock)"
		chronyc -n sources | grep '^[#^]'
		grep -i "majority\|falsetick\|selected\|stepped" /results/chronyd.log | cut -d ' ' -f 2-
	} >>/results/figures
	killall chronyd
	sleep 1
}
