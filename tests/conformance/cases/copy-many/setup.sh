mkdir m; for i in $(seq 200); do mkdir -p m/d$((i % 10)); echo $i >m/d$((i % 10))/f$i; done
