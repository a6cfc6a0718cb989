# Cost of gnss2shm while locked at one pulse per second, and the slowness of the emulated processor. Also read by
# tests/footprint, which does the same work on the host.
programs="gnss2shm"
judged=checks
lasts=310
measured=60 # seconds

# cost_of WHAT PID: memory, and the CPU time of each thread during the measurement.
cost_of() {
	threads_of "$2" >"/tmp/before-$1"
	from=$(cut -d ' ' -f 1 /proc/uptime)
	sleep $measured
	threads_of "$2" >"/tmp/after-$1"
	to=$(cut -d ' ' -f 1 /proc/uptime)
	awk -v what="$1" -v from="$from" -v to="$to" '
		NR == FNR { before[$1] = $3; next }
		{ print what, "thread", $2, ($3 - before[$1]) / (to - from) / 1e7 }' "/tmp/before-$1" "/tmp/after-$1"
	awk -v what="$1" '/^Vm(HWM|RSS|Size)|^Rss(Anon|File)|^Threads/ { sub(":", ""); print what, "status", $1, $2 }' "/proc/$2/status"
	rm "/tmp/before-$1" "/tmp/after-$1"
}

threads_of() { # number, name and ns on a CPU
	for task in /proc/"$1"/task/*; do
		read -r comm <"$task/comm"
		read -r on_cpu rest <"$task/schedstat"
		echo "${task##*/} $comm $on_cpu"
	done
}

# CPU seconds, user and system, of the same static program: computing, and calling the kernel.
calibrate() {
	dd if=/dev/zero of=/tmp/zeros bs=1048576 count=32 2>/dev/null
	for n in 1 2; do
		busybox time -f "calibration computing %U %S" busybox sha256sum /tmp/zeros /tmp/zeros /tmp/zeros /tmp/zeros 2>&1 >/dev/null
		busybox time -f "calibration calling %U %S" busybox dd if=/dev/zero of=/dev/null bs=1 count=1000000 2>&1 | grep calibration
	done
	rm /tmp/zeros
}

# The same program with simulated input, which needs neither PHC nor UART: it also runs on the host.
cost_of_simulate() { # program, what else it needs to be told
	program=$1
	shift
	"$program" simulate --for "$((measured + 15))s" "$@" >/tmp/simulate.log 2>&1 &
	sleep 8
	cost_of simulate $!
	wait $!
}

scenario() {
	mkdir -p /dev/pts && mount -t devpts none /dev/pts
	start_chronyd
	start_receiver
	gnss2shm run --serial /dev/ttyS1 --baud "$baud" --phc "$nic" --pin SDP0 --shm 0 $extra >/results/gnss2shm.log 2>&1 &
	pid=$!
	check "it locks" until_true 20 grep -q " Locked" /results/gnss2shm.log
	# chronyd steps the clock once, and the label is then confirmed anew.
	check_clock
	sleep 5
	said=$(wc -l </results/gnss2shm.log)
	cost_of run $pid >/results/footprint
	check "it stays locked" sh -c "! sed '1,${said}d' /results/gnss2shm.log | grep ."
	kill $pid
	killall nmea-gen
	calibrate >>/results/footprint
	cost_of_simulate gnss2shm >>/results/footprint
	cp /tmp/simulate.log /results/
	check "simulate finds nothing wrong" grep -q "wrong 0," /tmp/simulate.log
	check "the end" true
}
