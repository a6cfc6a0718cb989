# Functions for scenarios. Read by guest/init after the parameters of the run (see tests/vm/run). All output is written
# to /results, which is sent to the host at the end.

# /dev/ptpN of the clock with this name.
ptp_named() {
	for p in /sys/class/ptp/ptp*; do
		[ "$(cat "$p/clock_name")" = "$1" ] && echo "/dev/${p##*/}" && return
	done
	echo "no PTP clock is named $1" >&2
	return 1
}

# start NAME PROGRAM ARGUMENTS...: starts it in the background, with its output in NAME.log.
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

# The driver of an emulated card.
load_driver() {
	for driver in dca i2c-algo-bit igb igc; do
		[ ! -e "/stage/$driver.ko" ] || insmod "/stage/$driver.ko"
	done
}

# The network interface of the card.
interface() {
	ls "/sys/class/ptp/${nic#/dev/}/device/net"
}

# The PCI device of the NIC's clock, in sysfs.
pci_device() {
	readlink -f "/sys/class/ptp/${nic#/dev/}/device"
}

# plug 0|1: unplugs the NIC from its slot, or plugs it in again.
plug() {
	if [ "$card" = sim ]; then
		sim nic "$1"
	elif [ "$1" = 0 ]; then
		echo 1 >"$(pci_device)/remove"
	else
		echo 1 >/sys/bus/pci/rescan
		ip link set "$(interface)" up
	fi
}

# disarm 1|2: timestamping stops silently; 2: and the clock jumps to system time. A card's driver does both at once.
disarm() {
	if [ "$card" = sim ]; then
		sim disarm "$1"
	else
		ethtool -r "$(interface)"
	fi
}

# The receiver's port and the path to it: /dev/ttyS2 is connected to /dev/ttyS1.
tty=/dev/ttyS1 its_side="--tty /dev/ttyS2"
[ "$pace" = line ] || tty=/dev/ttyACM0 its_side="--pty /dev/ttyACM0"

# start_receiver [FAULTS...]: sentences on $tty.
start_receiver() {
	start nmea-gen nmea-gen $its_side --baud "$baud" --delay-ns "$delay_ns" --jitter-ns "$jitter_ns" \
		--sentences "$sentences" --zda-ahead "$zda_ahead" --seed "$seed" --sawtooth-ns "$sawtooth_ns" "$@"
}

# start_steering: with --steer, another program disciplines the NIC's clock to the system clock or to the pulse. It may
# step it at any time, because chronyd steps the system clock, and the NIC's clock starts anywhere.
start_steering() {
	case $steer in
	phc2sys) start phc2sys phc2sys -m -q -l 7 -s CLOCK_REALTIME -c "$nic" -O 0 -S 0.1 ;;
	ts2phc) start ts2phc ts2phc -m -q -l 7 -c "$nic" -s generic --ts2phc.channel 0 --ts2phc.pin_index 0 \
		--ts2phc.extts_polarity both --ts2phc.pulsewidth "$width_ns" --step_threshold 0.1 ;;
	esac
}

# Maximum error of the pulse, ns: a sawtooth that the receiver reports. `sim` needs it, too.
sawtooth_ns=0

# A scenario's limits, ns: error of a right sample, error of a right system clock.
wrong_ns=10000 clock_limit_ns=1000

# The SHM unit of the samples. A scenario with gpsd, which writes to 0 to 11, has another one.
unit=0

# The line of chrony.conf that README.md gives.
refclock_shm() {
	echo "refclock SHM $unit poll 2 dpoll -1 filter 5 refid GNSS precision 1e-7"
}

# start_gnss2shm [OPTIONS...]: the receiver on $tty, the pulse on SDP0, samples to unit $unit.
start_gnss2shm() {
	start gnss2shm gnss2shm run --serial $tty --baud "$baud" --phc "$nic" --pin SDP0 --shm "$unit" "$@" $extra
}

# refused STATUS WORDS ARGUMENTS...: gnss2shm run exits within 2 s with this status and a sentence that contains these
# words.
refused() {
	wanted=$1 words=$2
	shift 2
	timeout 2 gnss2shm run --serial "${port-/dev/ttyS1}" --baud "$baud" "$@" >/tmp/said 2>&1
	status=$?
	[ $status = "$wanted" ] && grep -q "$words" /tmp/said && return
	echo "status $status: $(tail -n 1 /tmp/said)"
	return 1
}

# start_chronyd [LINES]: chronyd in charge of the system clock, with these refclock lines.
start_chronyd() {
	mkdir -p -m 0750 /run/chrony
	echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd
	cat >/results/chrony.conf <<-END
		${1-$(refclock_shm)}
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

# start_judge: watches unit $unit and the system clock until check_judge.
start_judge() {
	start judge judge --unit "$unit" --seconds "$seconds" --wrong "$wrong_ns"
	judge=$!
}

# start_chain SECONDS: starts all of these, and checks that it locks within this time.
start_chain() {
	start_chronyd
	start_receiver
	start_gnss2shm
	start_judge
	check "it locks" until_true "$1" says " Locked"
}

# judge_for SECONDS: watches unit $unit and the system clock for this long.
judge_for() {
	start judge judge --unit "$unit" --seconds "$1"
	wait $!
	for report in tracking sources sourcestats; do
		chronyc -n "$report"
	done >/results/chronyc.log 2>&1
}

# check NAME COMMAND...: one line of the verdict in a scenario with judged=checks. The command's output explains a
# failure.
check() {
	check_name=$1
	shift
	if "$@" >/tmp/why 2>&1; then
		line="ok $check_name"
	else
		line="FAILED $check_name: $(tail -n 1 /tmp/why)"
	fi
	echo "$line" | tee -a /results/checks.log
}

# until_true SECONDS COMMAND...: whether the command succeeds within this time, with ten attempts per second.
until_true() {
	tries=$(($1 * 10))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "not within its time: $*"; return 1; }
		sleep 0.1
	done
}

followed() {
	chronyc -n sources | grep -q '^#\* GNSS'
}

# The package, its settings for this machine, and chronyd's line.
install_package() {
	apt-get -qq -y install /stage/gnss2shm.deb >/dev/null 2>&1
	sed -i "s#eth0#$nic#; s#ttyS0#ttyS1#" /etc/gnss2shm/default.toml
	cp /usr/share/gnss2shm/chrony.conf /etc/chrony/conf.d/gnss2shm.conf
}

# The service's process, its state, and the samples that it has counted.
main_pid() {
	systemctl show -P MainPID gnss2shm@default
}

is_locked() {
	gnss2shm status | tee /results/status | grep -q '^state  *Locked'
}

samples() {
	gnss2shm status --json | sed 's/.*"samples":\([0-9]*\).*/\1/'
}

# Number of edges that gnss2shm has read, from its status socket /run/status.
edges() {
	gnss2shm status --socket /run/status --json | sed 's/.*"edges":\([0-9]*\).*/\1/'
}

linux_is_from() { # major, minor
	uname -r | awk -F . -v major="$1" -v minor="$2" '{ exit $1 < major || $1 == major && $2 + 0 < minor }'
}

uptime_s() {
	cut -d ' ' -f 1 /proc/uptime
}

# at SECONDS: waits until the receiver has been running for this long, since $began.
at() {
	sleep "$(awk -v began="$began" -v at="$1" '{ left = began + at - $1; print(left > 0 ? left : 0) }' /proc/uptime)"
}

# Descriptors and threads of gnss2shm.
held_open() {
	echo "$(ls "/proc/$(pidof gnss2shm)/fd" | wc -l) $(ls "/proc/$(pidof gnss2shm)/task" | wc -l)"
}

# said_times N WORDS: whether gnss2shm's log contains these words N times.
said_times() {
	[ "$(grep -c "$2" /results/gnss2shm.log)" = "$1" ]
}

# The segment's count: it advances by two for each sample.
count() {
	judge --peek | sed 's/.* count=\([-0-9]*\) .*/\1/'
}

counted_since() { # count
	[ "$(count)" != "$1" ]
}

# counted_more COUNT N: whether at least N samples were published since the count was COUNT.
counted_more() {
	[ $((($(count) - $1) / 2)) -ge "$2" ]
}

# publishes SECONDS: whether samples are published continuously, with a tolerance of two.
publishes() {
	had=$(count)
	sleep "$1"
	got=$((($(count) - had) / 2))
	echo "$got samples in $1 s"
	[ $got -ge $(($1 - 2)) ]
}

# publishes_nothing SECONDS
publishes_nothing() {
	! publishes "$1" && [ $got = 0 ]
}

# check_comes_back NAME [SECONDS]: checks that a new sample is published within 10 s, or SECONDS; prints when.
check_comes_back() {
	from=$(uptime_s)
	had=$(count)
	until_true 30 counted_since "$had" >/dev/null
	took=$(awk -v from="$from" '{ printf "%.1f", $1 - from }' /proc/uptime)
	check "$1: next sample after $took s" awk -v took="$took" -v most="${2:-10}" 'BEGIN { exit took > most }'
}

# check_comes_and_goes DEVICE COMMAND...: checks with a device that COMMAND 0 removes and COMMAND 1 restores, twenty
# times.
check_comes_and_goes() {
	device=$1
	shift
	held=$(held_open)
	times=0
	while [ $times -lt 20 ]; do
		times=$((times + 1))
		"$@" 0
		check "$times: its absence is named" until_true 3 said_times $times "Searching: the $device does not exist"
		had=$(count)
		"$@" 1
		check "$times: samples return" until_true 6 counted_since "$had"
	done
	check "nothing is left behind" test "$(held_open)" = "$held"
}

# The result of start_judge so far: no sample may have been wrong.
check_judge() {
	killall -TERM judge
	wait "$judge"
	check "there are samples" grep -Eq " samples=[1-9]" /results/judge.log
	check "nothing wrong was published" nothing_wrong
}

# Waits until the system clock is within the limit of true time: chronyd takes a while after a step.
check_clock() {
	check "the clock becomes right" until_true 120 clock_is_right
}

clock_is_right() {
	judge --clock | awk -F = -v limit="$clock_limit_ns" '{ print; exit $2 < -limit || $2 > limit }'
}

# mark: the present, for clock_stayed.
mark() {
	wc -l </results/judge.log
}

# clock_stayed MARK: whether the system clock was within the limit of true time ever since, at each reading of the
# judge. The first line after the mark is left out, because it also covers up to 5 s before.
clock_stayed() {
	tail -n "+$(($1 + 1))" /results/judge.log | awk -v limit="$clock_limit_ns" '
		$1 == "clock" && lines++ && $4 > worst { worst = $4 }
		END { print worst + 0; exit lines < 2 || worst > limit }'
}

# check_clock_stayed NAME MARK: checks that, and prints the largest error.
check_clock_stayed() {
	check "$1: the clock stays within $clock_limit_ns ns" clock_stayed "$2"
	echo "$1: the clock was at most $(clock_stayed "$2") ns off" >>/results/figures
}

nothing_wrong() {
	grep WRONG /results/judge.log
	grep -q " wrong=0 " /results/judge.log
}

# says WORDS: whether gnss2shm's log contains them.
says() {
	grep -q "$1" /results/gnss2shm.log || { tail -n 1 /results/gnss2shm.log; return 1; }
}

# Sends everything in /results to the host through the fourth serial line.
hand_out() {
	cp /proc/interrupts /results/interrupts
	dmesg >/results/dmesg.log
	journalctl -b --no-pager >/results/journal.log 2>/dev/null
	stty -F /dev/ttyS3 raw -echo 115200
	tar -C /results -czf - . | cat >/dev/ttyS3 # GNU tar writes no archive to a terminal
	sync
}
