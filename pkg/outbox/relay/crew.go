package relay

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Crew relays one database's outbox with an engine for each shard that this process
// holds. Any number of crews, in any processes, spread the shards evenly: each looks
// at the roster in the database, computes its share, starts the engines that it lacks
// and lets go of those that it has too many of. Only a shard's lease decides who
// publishes it, so a crew may be wrong about the others for a while.
//
// The number of shards may change at any time; the crew follows.
type Crew struct {
	cfg    Config
	log    *zap.Logger
	limits limits

	mu      sync.Mutex
	posts   map[int]*post // by shard; those that were let go too, until they end
	engines sync.WaitGroup
	share   []int
	void    []string // who counts as gone against the database's clock
	own     Status   // of the crew itself, and what the engines that have ended counted
}

// post is an engine at work.
type post struct {
	engine *Engine
	letGo  context.CancelFunc
}

// lookPause is the time between two looks at the roster, unless the lease is short.
const lookPause = 500 * time.Millisecond

// NewCrew checks the configuration, whose Shard does not count, and makes a crew. It
// connects to nothing. No two crews may have the same Holder.
func NewCrew(cfg Config) (*Crew, error) {
	cfg.Shard = 0
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Crew{
		cfg: cfg, log: cfg.Logger.With(zap.String("database", cfg.Name)), limits: defaultLimits,
		posts: map[int]*post{}, own: Status{Name: cfg.Name, State: Starting, Since: time.Now()},
	}, nil
}

// Run relays until ctx is done. Then each engine comes to its end as [Engine.Run]
// says, which leaves its shard to another crew at once, and Run returns nil. It is to
// be called once.
func (c *Crew) Run(ctx context.Context) error {
	defer c.engines.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var enlisted time.Time // for the last time
	retry := newBackOff()
	for ctx.Err() == nil {
		asked, again := time.Now(), time.Since(enlisted) >= c.cfg.Lease/3
		roster, err := c.look(ctx, again)
		c.saw(roster, err)
		if err != nil {
			sleep(ctx, retry.NextBackOff())
			continue
		}
		retry.Reset()
		if again {
			enlisted = asked
		}
		if err := c.follow(ctx, roster); err != nil {
			return err
		}
		sleep(ctx, min(lookPause, c.cfg.Lease/3))
	}
	// While the engines still drain: else the others would count on this crew for the
	// shards that it has released already.
	if !enlisted.IsZero() {
		c.leave(ctx)
	}
	return nil
}

// look reads the roster, and enlists too when it is time. The end of ctx does not
// break it off: a crew that is enlisted and does not know would be counted on.
func (c *Crew) look(ctx context.Context, enlist bool) (outboxpg.Roster, error) {
	ctx, cancel := c.brief(ctx)
	defer cancel()
	if enlist {
		return c.cfg.Log.Enlist(ctx, c.cfg.Holder, c.cfg.Lease)
	}
	return c.cfg.Log.Roster(ctx)
}

func (c *Crew) leave(ctx context.Context) {
	ctx, cancel := c.brief(ctx)
	defer cancel()
	if err := c.cfg.Log.Leave(ctx, c.cfg.Holder); err != nil {
		c.cfg.Faults.Count(TaskRoster, err)
		c.log.Warn("the other relays do not know that this one stops: they wait for the end of its leases",
			zap.Duration("lease", c.cfg.Lease), zap.Error(err))
	}
}

// brief bounds a call so that one that hangs does not cost the membership.
func (c *Crew) brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), min(c.limits.call, c.cfg.Lease/3))
}

// follow starts and ends engines until they are this crew's share.
func (c *Crew) follow(ctx context.Context, roster outboxpg.Roster) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.share
	c.share = share(c.cfg.Holder, roster.Members, roster.Holders)
	if !slices.Equal(was, c.share) {
		c.log.Info("the share of the shards has changed", zap.Ints("share", c.share), zap.Ints("was", was),
			zap.Int("shards", len(roster.Holders)), zap.Int("relays", len(roster.Members)))
	}
	for shard, p := range c.posts {
		if !slices.Contains(c.share, shard) {
			p.letGo()
		}
	}
	for _, shard := range c.share {
		if c.posts[shard] != nil {
			continue // if it was let go before, it has to end before it can start again
		}
		if err := c.man(ctx, shard); err != nil {
			return err
		}
	}
	return nil
}

// man starts the engine of a shard.
func (c *Crew) man(ctx context.Context, shard int) error {
	cfg := c.cfg
	cfg.Shard = shard
	engine, err := New(cfg)
	if err != nil {
		return err
	}
	engine.limits = c.limits
	ctx, letGo := context.WithCancel(ctx)
	c.posts[shard] = &post{engine, letGo}
	c.engines.Go(func() {
		defer letGo()
		_ = engine.Run(ctx) // fails when the shard is gone, which the next look sees
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.posts, shard)
		c.own.count(engine.Status())
	})
	return nil
}
