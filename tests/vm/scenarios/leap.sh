# A leap second is inserted at the end of the year; --leap-says tells what the receiver calls it.
programs="gnss2shm"
judged=checks
lasts=100
: "${start:=$(($(date -d "$(date +%Y)-01-01 +1 year UTC" +%s) - 40))}"
leap_at=$((start + 40))

scenario() {
	start_chronyd "refclock SHM 0 poll 2 dpoll -1 filter 5 refid GNSS precision 1e-7"
	start_receiver --leap-at "$leap_at" --leap-says "$leap_says"
	start gnss2shm gnss2shm run --debug --serial /dev/ttyS1 --baud "$baud" --phc "$nic" --pin SDP0 --shm 0 $extra
	start judge judge --unit 0 --seconds $((seconds - 10))
	judge=$!
	check "it locks" until_true 15 says " Locked"
	check_judge $judge
	check "truth was set back" grep -q "^leap " /results/judge.log
	check "nothing is published around it" silent_around
	check "samples are back in time: the first is of second $(first_after)" test "$(first_after)" -lt 16
	check "the end" true
}

# From 4 s before to 4 s after.
silent_around() {
	! awk -v leap="$leap_at" '$1 == "sample" && $2 > leap - 5 && $2 < leap + 5' /results/judge.log | grep .
}

# Seconds from the leap second to the first sample that knows of it.
first_after() {
	awk -v leap="$leap_at" '$1 == "leap" { past = 1 } past && $1 == "sample" && !/WRONG/ { print int($2 - leap); exit }' \
		/results/judge.log
}
