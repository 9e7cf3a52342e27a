mkdir n; printf x >"n/$(printf "\351")"; printf y >n/plain
