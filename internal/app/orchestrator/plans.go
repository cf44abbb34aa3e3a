package orchestrator

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/pkg/saga/sagapg"
)

// descUnknown is explained in docs/metrics.md.
var descUnknown = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "unknown_plan_sagas"),
	"Sagas that stand still because this program cannot follow their plan. Counted every 15 s.", []string{"type", "version"}, nil)

// plans are those in use that this program cannot follow. Their sagas stand still, and
// others go on.
type plans struct {
	ask func(context.Context) ([]sagapg.UnknownPlan, error)
	log *zap.Logger

	mu      sync.Mutex
	unknown []sagapg.UnknownPlan
}

func watchPlans(registry prometheus.Registerer, ask func(context.Context) ([]sagapg.UnknownPlan, error), log *zap.Logger) *plans {
	p := &plans{ask: ask, log: log}
	registry.MustRegister(p)
	return p
}

// run looks until ctx is done. While the database cannot be asked, which others tell, what
// is known stays.
func (p *plans) run(ctx context.Context) error {
	pause := time.NewTicker(lookPause)
	defer pause.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, lookTimeout)
		unknown, err := p.ask(asking)
		cancel()
		if err == nil {
			p.note(unknown)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// note keeps what was found, and says once what is new.
func (p *plans) note(unknown []sagapg.UnknownPlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, plan := range unknown {
		if !slices.ContainsFunc(p.unknown, func(k sagapg.UnknownPlan) bool { return k.Name == plan.Name && k.Version == plan.Version }) {
			p.log.Warn("sagas stand still: this program cannot follow their plan", zap.String("type", plan.Name), zap.Int("version", plan.Version),
				zap.Int64("sagas", plan.Sagas), zap.NamedError("why", plan.Err))
		}
	}
	if len(unknown) == 0 && len(p.unknown) > 0 {
		p.log.Info("the plan of each saga can be followed again")
	}
	p.unknown = unknown
}

// ready adds a remark to what ready says, where that is nil or a remark.
func (p *plans) ready(ready func() error) func() error {
	return func() error {
		err := ready()
		var remark *app.Remark
		if err != nil && !errors.As(err, &remark) {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.unknown) == 0 {
			return err
		}
		words := make([]string, len(p.unknown))
		for i, plan := range p.unknown {
			words[i] = plan.String()
		}
		all := []error{errors.New("sagas stand still: " + strings.Join(words, "; "))}
		if remark != nil {
			all = append(all, remark.Err)
		}
		return &app.Remark{Err: errors.Join(all...)}
	}
}

// Describe implements [prometheus.Collector].
func (p *plans) Describe(descs chan<- *prometheus.Desc) { descs <- descUnknown }

// Collect implements [prometheus.Collector].
func (p *plans) Collect(metrics chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, plan := range p.unknown {
		metrics <- prometheus.MustNewConstMetric(descUnknown, prometheus.GaugeValue, float64(plan.Sagas), plan.Name, strconv.Itoa(plan.Version))
	}
}
