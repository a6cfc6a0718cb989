# What a scenario can use. Read by guest/init after the parameters of the run (see tests/vm/run).
# Every program's output ends up in /results, which the host gets at the end.

# /dev/ptpN of the clock with this name.
ptp_named() {
	for p in /sys/class/ptp/ptp*; do
		[ "$(cat "$p/clock_name")" = "$1" ] && echo "/dev/${p##*/}" && return
	done
	echo "no PTP clock is named $1" >&2
	return 1
}

# start NAME PROGRAM ARGUMENTS...: in the background, with its output in NAME.log.
start() {
	name=$1
	shift
	(
		"$@" >"/results/$name.log" 2>&1
		echo "$name ended with status $?" >>"/results/$name.log"
	) &
}

# sim PARAMETER VALUE: changes the simulated hardware while it runs.
sim() {
	echo "$2" >"/sys/module/gnss2shm_sim/parameters/$1"
}

# start_receiver [FAULTS...]: sentences on /dev/ttyS2, which is wired to /dev/ttyS1.
start_receiver() {
	start nmea-gen nmea-gen --tty /dev/ttyS2 --baud "$baud" --delay-ns "$delay_ns" \
		--jitter-ns "$jitter_ns" --sentences "$sentences" --seed "$seed" "$@"
}

# start_chronyd LINES: chronyd in charge of the system clock, with these refclock lines.
start_chronyd() {
	mkdir -p -m 0750 /run/chrony
	echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd
	cat >/results/chrony.conf <<-END
		$1
		makestep 0.001 5
		logdir /results
		log refclocks measurements tracking statistics
		cmdport 0
	END
	start chronyd chronyd -d -u root -F 0 -f /results/chrony.conf
	for try in 1 2 3 4 5 6 7 8 9; do
		[ -S /run/chrony/chronyd.sock ] && return
		sleep 0.1
	done
	echo "chronyd does not come up" >&2
}

# judge_for SECONDS: watches unit 0 and the system clock until then.
judge_for() {
	start judge judge --unit 0 --seconds "$1"
	wait $!
	for report in tracking sources sourcestats; do
		chronyc -n "$report"
	done >/results/chronyc.log 2>&1
}

# Everything in /results goes through the fourth serial line to the host.
hand_out() {
	cp /proc/interrupts /results/interrupts
	dmesg >/results/dmesg.log
	stty -F /dev/ttyS3 raw -echo 115200
	tar -C /results -czf - . >/dev/ttyS3
	sync
}
