# A grandmaster on a Debian with systemd: the units of the package and of the recipe, doctor, a kill.
programs="ip ptp4l pmc phc2sys"
machine=debian
judged=checks
lasts=400

scenario() {
	PATH=$PATH:/stage/bin
	insmod /stage/veth.ko
	ip link add server type veth peer name peer
	ip link set server up
	ip link set peer up
	start_receiver
	install_package
	for program in ptp4l phc2sys; do ln -s /stage/bin/$program /usr/sbin/$program; done
	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) \
		>/usr/share/zoneinfo/leap-seconds.list

	# docs/grandmaster.md, by hand. The virtual cable has no hardware timestamps; -p keeps the NIC's clock all the same.
	recipe=/usr/share/gnss2shm/grandmaster
	cp $recipe/chrony.conf /etc/chrony/conf.d/gnss2shm.conf
	printf '\n[grandmaster]\n' >>/etc/gnss2shm/default.toml
	mkdir -p /etc/linuxptp
	sed 's/^\[eth0\]/[server]/' $recipe/ptp4l.conf >/etc/linuxptp/grandmaster.conf
	cp $recipe/grandmaster-ptp4l.service /etc/systemd/system/
	sed -i "s#^ExecStart=.*#& -S -p $nic#" /etc/systemd/system/grandmaster-ptp4l.service
	sed "s#INTERFACE=eth0#INTERFACE=$nic#" $recipe/grandmaster-phc2sys.service >/etc/systemd/system/grandmaster-phc2sys.service
	systemctl daemon-reload
	check "gnss2shm starts" systemctl enable --now gnss2shm@default
	check "chronyd takes its lines" systemctl restart chrony
	check "the chain starts" systemctl enable --now grandmaster-phc2sys grandmaster-ptp4l gnss2shm-grandmaster@default

	check "class 6" until_true 180 is_class 6
	echo "VmRSS of grandmaster: $(sed -n 's/^VmRSS:[^0-9]*//p' "/proc/$(pid_of_grandmaster)/status")" >>/results/figures
	check "doctor says nothing but ok" until_true 20 healthy
	check "nothing that it needs is forbidden" nothing_forbidden
	check "systemctl status shows the class" shows_class

	killed=$(pid_of_grandmaster)
	watch_classes &
	kill -KILL "$killed"
	check "it is started again" until_true 20 is_another "$killed"
	check "class 6 again" until_true 60 is_class 6
	check "in between, the claim was withdrawn" grep -qx 52 /results/classes
	check "it stops" systemctl stop gnss2shm-grandmaster@default
	check "and leaves no claim" is_class 52
	check "the end" true
}

class() {
	pmc -u -b 0 -s /var/run/ptp4l 'GET GRANDMASTER_SETTINGS_NP' | tr -s '\t ' ' ' | sed -n 's/^ clockClass \([0-9]*\).*/\1/p'
}

is_class() {
	found=$(class)
	echo "class $found: $(journalctl -u gnss2shm-grandmaster@default -n 1 -o cat)"
	[ "$found" = "$1" ]
}

watch_classes() {
	while sleep 0.1; do class; done >>/results/classes
}

pid_of_grandmaster() {
	systemctl show -P MainPID gnss2shm-grandmaster@default
}

is_another() {
	[ "$(pid_of_grandmaster)" != 0 ] && [ "$(pid_of_grandmaster)" != "$1" ]
}

healthy() {
	gnss2shm doctor | tee /results/doctor | grep -v '^ok ' && return 1
	grep -q '^ok  *grandmaster' /results/doctor
}

nothing_forbidden() {
	! journalctl -b -o cat | grep -i 'denied\|forbidden\|not permitted' | grep .
}

shows_class() {
	systemctl status gnss2shm-grandmaster@default | grep 'Status: "class 6'
}
