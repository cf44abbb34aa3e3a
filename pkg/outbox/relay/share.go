package relay

import "slices"

// share returns the shards that the relay me runs engines for, in order: those that it
// shall hold, and where there are more relays than shards, one that it stands by for.
// members are the relays that are alive, holders has the holder of each shard.
//
// All relays compute the same from the same view. Views that differ for a moment do no
// harm, because nobody publishes without the lease of the shard; and they settle,
// because a step towards the result does not change the result.
func share(me string, members, holders []string) []int {
	members = append(slices.Clone(members), me) // also where its row has expired
	slices.Sort(members)
	members = slices.Compact(members)
	owners := assign(members, holders)
	var mine []int
	for shard, owner := range owners {
		if owner == me {
			mine = append(mine, shard)
		}
	}
	if mine != nil {
		return mine
	}
	spares := slices.DeleteFunc(members, func(m string) bool { return slices.Contains(owners, m) })
	return []int{slices.Index(spares, me) % len(owners)}
}

// assign says who shall hold each shard: who has it, up to its quota. The rest goes to
// those below theirs, by name.
func assign(members, holders []string) []string {
	room := quotas(members, holders)
	owners := make([]string, len(holders))
	for shard, holder := range holders {
		if room[holder] > 0 {
			room[holder]--
			owners[shard] = holder
		}
	}
	next := 0
	for shard, owner := range owners {
		if owner != "" {
			continue
		}
		for room[members[next]] == 0 {
			next++
		}
		room[members[next]]--
		owners[shard] = members[next]
	}
	return owners
}

// quotas spreads the shards evenly. Where that leaves some over, those who have more
// than the least already keep one more, and then the names decide. How many more does
// not matter: the numbers change with every step on the way.
func quotas(members, holders []string) map[string]int {
	least, extra := len(holders)/len(members), len(holders)%len(members)
	held := map[string]int{}
	for _, holder := range holders {
		held[holder]++
	}
	var rich, others []string
	for _, m := range members {
		if held[m] > least {
			rich = append(rich, m)
		} else {
			others = append(others, m)
		}
	}
	quotas := map[string]int{}
	for i, m := range append(rich, others...) {
		quotas[m] = least
		if i < extra {
			quotas[m]++
		}
	}
	return quotas
}
