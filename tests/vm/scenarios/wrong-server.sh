# What chronyd does if its sources disagree: NTP servers that are 50 ms off, a receiver that names the wrong second;
# with the refclock line as it is, with `prefer`, and with `trust`. The figures are in docs/fallback.md. By hand:
# nothing is judged.
programs="gnss2shm"
judged=checks
lasts=400

scenario() {
	ifconfig lo 127.0.0.1 up
	start sntp1 sntp 127.0.0.1 50000000 200000 1000000
	start sntp2 sntp 127.0.0.2 300000 200000 1000000
	start sntp3 sntp 127.0.0.3 200000 200000 1000000
	start_receiver
	start_gnss2shm --witness off
	sleep 8
	for options in "" prefer trust; do
		outcome "one server, 50 ms off" "$options" 1
	done
	outcome "two servers, one 50 ms off" "" 1 2

	# The server first: the system clock is 50 ms off and synchronized when gnss2shm starts.
	for witness in block warn; do
		killall gnss2shm
		sleep 1
		start_gnss2shm_later $witness &
		outcome "one server, 50 ms off, and first; witness = $witness" trust 1
		grep -m 1 "system clock" /results/gnss2shm.log >>/results/figures
	done

	killall gnss2shm nmea-gen
	sleep 1
	start_receiver --off 1
	start_gnss2shm --witness off
	sleep 8
	for options in "" trust; do
		outcome "two right servers, the receiver 1 s off" "$options" 2 3
	done
	check "the end" true
}

start_gnss2shm_later() {
	sleep 8
	start_gnss2shm --witness "$1"
}

# outcome SITUATION OPTIONS SERVERS...: starts chronyd with these and a clock that is 10 ms off, and prints what it did.
outcome() {
	situation=$1 options=$2
	shift 2
	now=$(judge --clock)
	step system $((10000000 - ${now#*=}))
	start_chronyd "$(refclock_shm) $options
		$(for n in "$@"; do echo "server 127.0.0.$n minpoll 1 maxpoll 2 iburst"; done)
		rtcsync"
	sleep 35
	{
		echo "$situation, \"$options\": $(judge --clock)"
		chronyc -n sources | grep '^[#^]'
	} >>/results/figures
	killall chronyd
	sleep 1
}
