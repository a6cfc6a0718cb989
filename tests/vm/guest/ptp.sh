# Functions for scenarios with PTP. A server and a client run in network namespaces of their own, joined by a virtual
# cable. The cable has no hardware timestamps, so only what PTP says is tested, not how accurately it transfers time: the
# server takes its time from the NIC's clock, and the client steers nothing.

recipe=/usr/share/gnss2shm/grandmaster

start_network() {
	insmod /stage/veth.ko
	ip link add server type veth peer name client
	mkdir -p /run/netns
	ip netns add client
	ip link set client netns client
	ip address add 192.0.2.1/24 dev server
	ip link set server up
	ip link set lo up
	ip -n client address add 192.0.2.2/24 dev client
	ip -n client link set client up
}

# start_server [OPTIONS]: ptp4l with the recipe's settings, eight announcements a second.
start_server() {
	sed "s/^\[eth0\]/[server]/" "$recipe/${server_conf-ptp4l.conf}" >/results/server.conf
	start server ptp4l -m -q -f /results/server.conf -S -p "$nic" --logAnnounceInterval -3 "$@"
}

# start_client [OPTIONS]
start_client() {
	start client ip netns exec client ptp4l -m -q -i client -S -s --free_running 1 --logAnnounceInterval -3 \
		--uds_address /run/ptp4l-client "$@"
}

# ask SOCKET MESSAGE: pmc's answer, one field per line.
ask() {
	pmc -u -b 0 -d "${domain-0}" -s "$1" -i "/run/pmc.$$" "GET $2" | tr -s '\t ' ' '
}

# client_sees FIELD VALUE [FIELD VALUE...]: in what the client knows about its grandmaster.
client_sees() {
	{
		ask /run/ptp4l-client PARENT_DATA_SET
		ask /run/ptp4l-client TIME_PROPERTIES_DATA_SET
	} >/tmp/seen
	while [ $# -gt 0 ]; do
		grep -q "^ $1 $2\$" /tmp/seen || { grep " $1 " /tmp/seen; return 1; }
		shift 2
	done
}

is_class() {
	client_sees gm.ClockClass "$1"
}

# steer_phc: the program of the recipe for this kernel.
steer_phc() {
	if linux_is_from 6 7; then
		sed "s#^\[eth0\]#[$nic]#; s/^\(ts2phc.pulsewidth\).*/\1 $width_ns/" $recipe/ts2phc.conf >/results/ts2phc.conf
		start ts2phc ts2phc -m -q -f /results/ts2phc.conf -s generic
	else
		start phc2sys phc2sys -m -q -s CLOCK_REALTIME -c "$nic" -O 37 -S 0.00002
	fi
}

# How far the NIC's clock was ahead of TAI at the last pulse, ns.
phc_error() {
	echo $(($(cut -d , -f 2 /sys/module/gnss2shm_sim/parameters/at_pulse) - 37000000000))
}

phc_is_within() { # ns
	phc=$(phc_error)
	echo "$phc ns"
	[ "$phc" -le "$1" ] && [ "$phc" -ge "-$1" ]
}
