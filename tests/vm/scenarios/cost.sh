# Cost of gnss2shm and of the programs it is compared with, in turn on the same UART and pulse: wake-ups per second and
# ticks of CPU time, while locked, at 9600 baud with both edges. Fails above the limits.
programs="gnss2shm ts2phc gpsd"
judged=checks
lasts=450
unit=12 # gpsd does not write to it
sentences=RMC,ZDA,GGA,GSA,GSV
measured=120 rounds=4 # total seconds for each, and number of turns

# Each thread's number, name, wake-ups and ns on a CPU. Wake-ups are context switches, voluntary or not.
threads_of() { # PID
	for task in /proc/"$1"/task/*; do
		awk -v id="${task##*/}" '/^Name/ { name = $2 } /ctxt_switches/ { n += $2 } END { printf "%d %s %d ", id, name, n }' "$task/status"
		cut -d ' ' -f 1 "$task/schedstat"
	done
}

# cost_of NAME PID SECONDS: a line of figures and one for each thread; leaves wakeups (a second) and ticks (in 120 s).
cost_of() {
	threads_of "$2" >/tmp/before
	from=$(uptime_s)
	sleep "$3"
	threads_of "$2" >/tmp/after
	awk -v program="$1" -v from="$from" -v to="$(uptime_s)" '
		function line(name, wakeups, ns) {
			printf "%-22s %5.1f wake-ups a second %5.0f ticks in 120 s\n", name, wakeups / (to - from), ns / (to - from) * 120 / 1e7
		}
		NR == FNR { wakeups[$1] = $3; ns[$1] = $4; next }
		{ line(program " " $2, $3 - wakeups[$1], $4 - ns[$1]); all += $3 - wakeups[$1]; used += $4 - ns[$1] }
		END { line(program, all, used) }' /tmp/before /tmp/after >/tmp/figures
	cat /tmp/figures >>/results/figures
	set -- $(tail -n 1 /tmp/figures)
	wakeups=$2 ticks=$6
}

at_most() { # figure, limit
	echo "$1 is more than $2"
	awk -v is="$1" -v limit="$2" 'BEGIN { exit is > limit }'
}

# In turn, so that changes in the emulator's speed affect all programs alike.
gnss2shm_in_turn() {
	start_gnss2shm
	check "it locks" until_true 20 says " Locked"
	check "chronyd follows" until_true 60 followed
	sleep 5 # its step of the clock is over
	said=$(grep -c . /results/gnss2shm.log)
	cost_of gnss2shm "$(pidof gnss2shm)" $((measured / rounds))
	check "$wakeups wake-ups a second" at_most "$wakeups" 12
	check "it stays locked" test "$(grep -c . /results/gnss2shm.log)" = "$said"
	ours=$((ours + ticks))
	killall gnss2shm
	sleep 1
}

gpsd_in_turn() {
	start gpsd gpsd -N -n -b -s "$baud" /dev/ttyS1
	sleep 5
	cost_of gpsd "$(pidof gpsd)" $((measured / rounds))
	theirs=$((theirs + ticks))
	killall gpsd
	sleep 1
}

scenario() {
	start_chronyd
	start_receiver
	ours=0 theirs=0
	for _ in $(seq $rounds); do
		gnss2shm_in_turn
		gpsd_in_turn
	done

	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) >/results/leap-seconds.list
	start ts2phc ts2phc -m -q -c "$nic" -s nmea --ts2phc.nmea_serialport /dev/ttyS1 \
		--leapfile /results/leap-seconds.list --ts2phc.channel 0 --ts2phc.pin_index 0 \
		--ts2phc.extts_polarity both --ts2phc.pulsewidth "$width_ns"
	sleep 5
	cost_of ts2phc "$(pidof ts2phc)" 60
	cost_of chronyd "$(pidof chronyd)" 10
	# A third of gpsd's: 60 ticks to its 179. In the emulator, a wake-up costs from half a millisecond to more than one in
	# any program.
	check "$((ours / rounds)) ticks in 120 s, gpsd $((theirs / rounds))" at_most $((ours * 179)) $((theirs * 60))
	check "the end" true
}
