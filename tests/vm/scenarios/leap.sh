# A leap second is inserted at the end of the year; --leap-says selects the receiver's representation of it.
programs="gnss2shm"
judged=checks
lasts=120
: "${start:=$(($(date -d "$(date +%Y)-01-01 +1 year UTC" +%s) - 40))}"
leap_at=$((start + 40))

scenario() {
	start_chronyd
	start_receiver --leap-at "$leap_at" --leap-says "$leap_says"
	start_gnss2shm --debug
	start_judge
	check "it locks" until_true 15 says " Locked"
	check "truth was set back" until_true 60 grep -q "^leap " /results/judge.log
	check "samples are back in time" until_true 30 back_in_time
	sleep 10
	check_judge
	check "nothing is published around it" silent_around
	check "the end" true
}

# From 4 s before to 4 s after.
silent_around() {
	! awk -v leap="$leap_at" '$1 == "sample" && $2 > leap - 5 && $2 < leap + 5' /results/judge.log | grep .
}

# The first sample that accounts for it is within 16 seconds after it.
back_in_time() {
	awk -v leap="$leap_at" '$1 == "leap" { past = 1 } past && $1 == "sample" { print; good = $2 - leap < 16; exit }
		END { exit !good }' /results/judge.log
}
