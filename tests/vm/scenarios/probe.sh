# probe finds pin, baud rate, and delay, and `run` locks with the settings that it writes.
programs="gnss2shm"
files="/usr/share/zoneinfo/right/UTC"
judged=checks
lasts=260

pins() {
	grep . "/sys/class/ptp/${nic#/dev/}"/pins/*
}

# probes NAME [OPTIONS...]: its output is NAME.log, its duration $took.
probes() {
	log=/results/$1.log
	shift
	pins >/tmp/pins
	from=$(uptime_s)
	gnss2shm probe "$@" >"$log" 2>&1
	status=$?
	took=$(awk -v from="$from" '{ printf "%.1f", $1 - from }' /proc/uptime)
	echo "status $status after $took s" >>"$log"
	check "it takes less than 30 s: $took s" awk -v took="$took" 'BEGIN { exit took >= 30 }'
	check "the pins are as they were" pins_are_as_before
}

pins_are_as_before() {
	pins | diff /tmp/pins -
}

pins_are_different() {
	! pins_are_as_before >/dev/null
}

# With exit code 1, within two seconds.
ends_at_once() {
	kill -INT $pid
	since=$(uptime_s)
	wait $pid
	status=$?
	took=$(awk -v since="$since" '{ print $1 - since }' /proc/uptime)
	tail -n 1 /results/interrupted.log
	echo "status $status after $took s"
	[ $status = 1 ] && awk -v took="$took" 'BEGIN { exit took > 2 }'
}

is_left_alone() {
	gnss2shm probe --phc "$nic" --serial /dev/nosuchport >/results/left-alone.log 2>&1
	[ $? = 1 ] && pins_are_as_before && grep -q "$nic is in use by dd (pid $thief): stop it" /results/left-alone.log
}

found() { # words
	grep -q "$1" "$log" || { tail -n 1 "$log"; return 1; }
}

# The receiver's delay, its jitter, and the UART's FIFO.
delay_is_found() {
	awk -v want=$((delay_ns / 1000000)) -v slack=$((jitter_ns / 1000000 + 30)) '
		/ median / { sub(/.* median /, ""); sub(/ ms,.*/, ""); print; off = $0 - want; exit off < -slack || off > slack }' "$log"
}

width_is_found() {
	found " width: $((width_ns / 1000000)).0 ms;"
}

scenario() {
	mkdir -p /results/made
	start_receiver --heard-by /dev/ttyS1
	echo "1 1" >"/sys/class/ptp/${nic#/dev/}/pins/SDP1"

	sim pulse 0
	probes no-pulse --write /results/made/never.toml
	check "no pulse: it says so, and that there is a fix" found "no pulse was seen on SDP0, SDP1, SDP2, SDP3.*it reports a fix"
	check "no pulse: its answer is no" found "status 1 after"
	check "no pulse: nothing is written" test ! -e /results/made/never.toml

	gnss2shm probe >/results/interrupted.log 2>&1 &
	pid=$!
	check "it sets pins" until_true 10 pins_are_different
	check "Ctrl-C ends it at once" ends_at_once
	check "Ctrl-C: the pins are as they were" pins_are_as_before
	dd if="$nic" of=/dev/null bs=32 2>/dev/null &
	thief=$!
	check "a clock that another program reads is left alone" is_left_alone
	kill $thief

	sim pulse 1
	sim wired 2
	if [ "$card" = sim ]; then
		probes other-pin # this clock has no interface, as ptp4l needs
	else
		probes other-pin --grandmaster /results/made/gm
		check "a grandmaster's files are written" grandmaster_is_made
	fi
	check "another pin is found" found "  SDP2 of "
	check "another pin: its answer is yes" found "status 0 after"
	sim wired 0

	if [ "$card" != sim ]; then
		ip link set "$(interface)" down
		probes down
		check "its interface is down: it says so" found "$(interface) is down, and .* does not timestamp in that state: run"
		check "its interface is down: its answer is no" found "status 1 after"
		ip link set "$(interface)" up
	fi
	probes probe --write /results/made/run.toml --chrony /results/made/chrony.line
	check "its answer is yes" found "status 0 after"
	check "the NIC is found" found " $nic ($clock_name): 4 pins, 2 channels, $crosststamp cross"
	check "the clock without timestamps is told from it" found "(truth) has no external timestamps"
	check "the pin is found" found "  SDP0 of "
	check "the width is found" width_is_found
	check "the receiver is found" found "/dev/ttyS1: $baud baud, speaks .*GPRMC.*it reports a fix"
	check "the delay is found" delay_is_found
	check "the console is left alone" found "/dev/ttyS0 is the kernel's console"
	check "a port in use is left alone" found "/dev/ttyS2 is held by nmea-gen"
	check "what comes next is said" found "  gnss2shm run --config /results/made/run.toml; then restart chronyd"
	check "a file is not overwritten" refuses_to_overwrite

	gnss2shm run --serial /dev/ttyS0 --phc "$nic" --shm 9 >/results/console.log 2>&1 &
	pid=$!
	check "run on the console is warned of it" until_true 10 grep -q "/dev/ttyS0 is the kernel's console" /results/console.log
	kill $pid
	wait $pid

	start gnss2shm gnss2shm run --config /results/made/run.toml
	start_chronyd "$(cat /results/made/chrony.line)"
	start_judge
	check "fed back, it locks" until_true 15 says " Locked"
	check_clock
	check_judge
	check "the end" true
}

# For this kernel and interface; chronyd reads the file as gnss2shm wrote it.
grandmaster_is_made() {
	made=/results/made/gm/etc
	servo=phc2sys
	linux_is_from 6 7 && servo=ts2phc
	grep -qx "\[$(interface)\]" $made/linuxptp/grandmaster.conf &&
		grep -q "^refclock SHM 0 " $made/chrony/conf.d/gnss2shm.conf &&
		chronyd -p -f $made/chrony/conf.d/gnss2shm.conf &&
		grep -q "^ExecStart=/usr/sbin/$servo" $made/systemd/system/grandmaster-$servo.service &&
		grep -qx "\[grandmaster\]" $made/gnss2shm/default.toml &&
		found "systemctl enable --now grandmaster-$servo grandmaster-ptp4l gnss2shm-grandmaster@default"
}

refuses_to_overwrite() {
	gnss2shm probe --write /results/made/run.toml >/tmp/said 2>&1
	[ $? = 73 ] && grep -q "run.toml exists" /tmp/said
}
