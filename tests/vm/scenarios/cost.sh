# What gnss2shm costs beside those it is compared with, each in turn on the same UART and the same pulse: wake-ups a
# second and ticks of CPU time, locked, at 9600 baud with both edges. Fails above the limits.
programs="gnss2shm ts2phc gpsd"
judged=checks
lasts=330
sentences=RMC,ZDA,GGA,GSA,GSV
measured=120 compared=60 # seconds

# Wake-ups are context switches of all threads, whether asked for or not; ticks are of 100 Hz, user and system.
spent() { # PID
	cat /proc/"$1"/task/*/status | awk '/ctxt_switches/ { n += $2 } END { printf "%d ", n }'
	sed 's/.*) //' /proc/"$1"/stat | awk '{ print $12 + $13 }' # the name before the parenthesis may have spaces
}

# cost_of NAME PID SECONDS: a line of figures; leaves wakeups (a second) and ticks (in 120 s).
cost_of() {
	before=$(spent "$2")
	from=$(uptime_s)
	sleep "$3"
	after=$(spent "$2")
	to=$(uptime_s)
	set -- "$1" $(echo "$before $after $from $to" | awk '{ s = $6 - $5; printf "%.1f %.0f", ($3 - $1) / s, ($4 - $2) / s * 120 }')
	wakeups=$2 ticks=$3
	printf '%-10s %6s wake-ups a second %6s ticks in 120 s\n' "$1" "$wakeups" "$ticks" >>/results/figures
}

at_most() { # figure, limit
	echo "$1 is more than $2"
	awk -v is="$1" -v limit="$2" 'BEGIN { exit is > limit }'
}

scenario() {
	start_chronyd
	start_receiver
	start_gnss2shm
	check "it locks" until_true 20 says " Locked"
	sleep 5
	cost_of gnss2shm "$(pidof gnss2shm)" $measured
	check "$wakeups wake-ups a second" at_most "$wakeups" 12
	check "$ticks ticks in 120 s" at_most "$ticks" 60
	check "it stays locked" sh -c "! sed '1,/ Locked/d' /results/gnss2shm.log | grep ."
	killall gnss2shm
	sleep 1

	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) >/results/leap-seconds.list
	start ts2phc ts2phc -m -q -c "$nic" -s nmea --ts2phc.nmea_serialport /dev/ttyS1 \
		--leapfile /results/leap-seconds.list --ts2phc.channel 0 --ts2phc.pin_index 0 \
		--ts2phc.extts_polarity both --ts2phc.pulsewidth "$width_ns"
	sleep 5
	cost_of ts2phc "$(pidof ts2phc)" $compared
	killall ts2phc
	sleep 1

	start gpsd gpsd -N -n -b -s "$baud" /dev/ttyS1
	sleep 5
	cost_of gpsd "$(pidof gpsd)" $compared
	cost_of chronyd "$(pidof chronyd)" 10
	check "the end" true
}
