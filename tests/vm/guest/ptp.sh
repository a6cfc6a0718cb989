# Functions for scenarios with PTP. A server and a client, in a network namespace of its own, are joined by a virtual
# cable. It has no hardware timestamps, so what PTP says is tested, not how accurately it transfers time: the server has
# the NIC's clock, and the client steers nothing.

recipe=/usr/share/gnss2shm/grandmaster

# What the module knows of the last pulse: its second, and how far the NIC's clock was ahead of true time, ns.
at_pulse=/sys/module/gnss2shm_sim/parameters/at_pulse

# busybox's shell prefers its own ip, which knows no namespaces.
ip=/bin/ip

start_network() {
	mkdir -p /run/netns /var/run
	echo 0 >/tmp/domain
	insmod /stage/veth.ko
	$ip netns add client
	$ip link add server type veth peer name client netns client
	$ip address add 192.0.2.1/24 dev server
	$ip link set server up
	$ip -n client address add 192.0.2.2/24 dev client
	$ip -n client link set client up
}

# start_server CONF [OPTIONS]: ptp4l with a file of the recipe, and eight Announce messages a second.
start_server() {
	sed "s/^\[eth0\]/[server]/" "$recipe/$1" >/results/server.conf
	shift
	start server ptp4l -m -q -f /results/server.conf -S -p "$nic" --logAnnounceInterval -3 "$@"
}

# start_client [OPTIONS]
start_client() {
	start client $ip netns exec client ptp4l -m -q -i client -S --free_running 1 --logAnnounceInterval -3 \
		--uds_address /run/ptp4l-client "$@"
}

# process_of WORDS: the process whose command line starts with these.
process_of() {
	for process in /proc/[0-9]*; do
		case $(tr '\0' ' ' <"$process/cmdline") in
		"$1 "*) echo "${process#/proc/}" ;;
		esac
	done 2>/dev/null
}

# stop SIGNAL WORDS: ends the process whose command line starts with these words.
stop() {
	its_process=$(process_of "$2")
	kill "-$1" "$its_process"
	until_true 5 test ! -d "/proc/$its_process"
}

# ask SOCKET MESSAGE [MESSAGE]: pmc's answers, a field per line, in the domain of /tmp/domain.
ask() {
	pmc -u -b 0 -d "$(cat /tmp/domain)" -s "$1" -i "/run/pmc-${1##*/}" "GET $2" ${3:+"GET $3"} | tr -s '\t ' ' '
}

# watch_client: keeps what the client knows about its grandmaster in /tmp/seen, and as a line for each look in
# /results/client-saw: uptime, second of the last pulse, class, TAI - UTC, its validity, leap61. For the background.
watch_client() {
	while sleep 0.1; do
		ask /run/ptp4l-client PARENT_DATA_SET TIME_PROPERTIES_DATA_SET >/tmp/seen.new
		mv /tmp/seen.new /tmp/seen
		echo "$(uptime_s) $(cut -d , -f 1 $at_pulse) $(seen gm.ClockClass)" \
			"$(seen currentUtcOffset) $(seen currentUtcOffsetValid) $(seen leap61)"
	done >>/results/client-saw 2>/dev/null
}

seen() { # field
	awk -v field="$1" '$1 == field { print $2 }' /tmp/seen
}

# check_within SECONDS NAME COMMAND...: checks that the command succeeds within the time; prints when.
check_within() {
	from=$(uptime_s) limit=$1 what=$2
	shift 2
	until "$@" >/dev/null || ! passed_less_than $((${limit%.*} + 5)); do
		sleep 0.1
	done
	passed_less_than "$limit"
	check "$what after $took s" test $? = 0
}

# Whether less than this many seconds have passed since $from; sets $took.
passed_less_than() {
	took=$(awk -v from="$from" '{ printf "%.1f", $1 - from }' /proc/uptime)
	awk -v took="$took" -v limit="$1" 'BEGIN { exit took > limit }'
}

# check_class CLASS NAME SECONDS: checks that the client sees this class within the time from now on; prints when.
check_class() {
	check_within "$3" "$2: class $1" sees_class "$1"
	echo "$(uptime_s) is $1" >>/results/client-saw
}

sees_class() {
	[ "$(seen gm.ClockClass)" = "$1" ]
}

# expect_6: class 6 may be seen from now on. It may not after a check_class of another, until this.
expect_6() {
	echo "$(uptime_s) is 6" >>/results/client-saw
}

# Class 6 was seen only when it was expected.
class_6_only_when_expected() {
	! awk '$2 == "is" { wanted = $3; next } $3 == 6 && wanted != 6' /results/client-saw | grep .
}

# steer_phc: the program of the recipe for this kernel.
steer_phc() {
	if linux_is_from 6 7; then
		sed "s#^\[eth0\]#[$nic]#; s/^\(ts2phc.pulsewidth\).*/\1 $width_ns/" $recipe/ts2phc.conf >/results/ts2phc.conf
		start ts2phc ts2phc -m -q -f /results/ts2phc.conf -s generic
	else
		line=$(sed -n 's/^ExecStart=//p' $recipe/grandmaster-phc2sys.service)
		export INTERFACE="$nic" TAI_OFFSET=37
		start phc2sys sh -c "exec ${line##*/sbin/} -m -q"
	fi
}

# How far the NIC's clock was ahead of TAI at the last pulse, ns.
phc_error() {
	echo $(($(cut -d , -f 2 $at_pulse) - 37000000000))
}

phc_is_within() { # ns
	phc=$(phc_error)
	echo "$phc ns"
	[ "$phc" -le "$1" ] && [ "$phc" -ge "-$1" ]
}
