//! What a routing decision costs, with 100 and with 1,000 agents: to choose one of them, to find
//! that none is free, and a whole work item from its arrival to the end of the call.

#![allow(clippy::expect_used, missing_docs)]

use std::sync::Arc;

use base::{AgentId, Instant, PromptId, QueueId, SkillId, TenantId};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use routing::{
    Agent, Directory, Input, Output, Provisioning, Router, Secret, Tenant, WorkId, route,
};

struct Floor {
    router: Router,
    directory: Arc<Directory>,
    tenant: TenantId,
    queue: QueueId,
    now: Instant,
    next: u128,
}

fn provisioning(agents: usize) -> Provisioning {
    let skill = |n: usize| SkillId::new(["sales", "billing", "french"][n % 3]).expect("a slug");
    let agents = (0..agents).map(|n| Agent {
        skills: vec![skill(n), skill(n + 1)],
        available_on_register: true,
        ..Agent::new(
            AgentId::new(&format!("agent-{n:04}")).expect("a slug"),
            Secret::new("a secret of theirs"),
        )
    });
    let music = PromptId::new("music").expect("a slug");
    let queue = routing::Queue {
        needs: vec![skill(0)],
        max_waiting: 10_000,
        ..routing::Queue::new(QueueId::new("sales").expect("a slug"), music)
    };
    let flow = base::FlowId::new("sales").expect("a slug");
    let tenant = Tenant {
        agents: agents.collect(),
        prompts: vec![routing::PromptFile::of_file(
            PromptId::new("music").expect("a slug"),
            "music.wav".into(),
        )],
        flows: vec![routing::Flow {
            id: flow.clone(),
            steps: vec![routing::Step::Queue { queue: queue.id.clone() }],
        }],
        queues: vec![queue],
        numbers: (0..1000)
            .map(|n| routing::Number { number: format!("+1555{n:07}"), flow: flow.clone() })
            .collect(),
        ..Tenant::new(TenantId::new("acme").expect("a slug"), "acme.example")
    };
    let trunk = routing::Trunk {
        sources: vec!["192.0.2.0/24".to_owned()],
        ..routing::Trunk::new(base::TrunkId::new("carrier").expect("a slug"))
    };
    Provisioning { trunks: vec![trunk], platform_keys: vec![], tenants: vec![tenant] }
}

impl Floor {
    fn new(agents: usize, registered: bool) -> Self {
        let provisioning = provisioning(agents);
        let tenant = provisioning.tenants[0].id.clone();
        let names: Vec<AgentId> =
            provisioning.tenants[0].agents.iter().map(|a| a.id.clone()).collect();
        let directory = Arc::new(Directory::build(provisioning).expect("it is right"));
        let queue = QueueId::new("sales").expect("a slug");
        let (router, now) = (Router::new(), Instant::from_millis(1));
        let mut floor = Self { router, directory, tenant, queue, now, next: 0 };
        floor.say(Input::Provision(floor.directory.clone()));
        for agent in names.into_iter().filter(|_| registered) {
            floor.now += base::Duration::from_millis(10);
            let tenant = floor.tenant.clone();
            floor.say(Input::Reachable { tenant, agent, reachable: true });
        }
        floor
    }

    fn say(&mut self, input: Input) -> Option<AgentId> {
        self.router.handle_input(self.now, input);
        let mut rung = None;
        while let Some(output) = self.router.poll_output() {
            if let Output::Attempt { agent, .. } = std::hint::black_box(output) {
                rung = Some(agent);
            }
        }
        rung
    }

    fn enqueue(&mut self) -> (WorkId, Option<AgentId>) {
        self.next += 1;
        let work = WorkId(self.next);
        let (tenant, queue) = (self.tenant.clone(), self.queue.clone());
        let caller = String::new();
        (work, self.say(Input::Enqueue { tenant, work, queue, priority: 0, caller }))
    }

    fn withdraw(&mut self, work: WorkId) {
        let tenant = self.tenant.clone();
        self.say(Input::Withdraw { tenant, work });
    }

    fn whole_call(&mut self) {
        let (work, rung) = self.enqueue();
        let agent = rung.expect("somebody is free");
        self.say(Input::AttemptAccepted { tenant: self.tenant.clone(), work, agent });
        self.say(Input::WorkFinished { tenant: self.tenant.clone(), work });
        self.now += base::Duration::from_millis(1);
    }
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("routing");
    for agents in [100, 1000] {
        let mut floor = Floor::new(agents, true);
        group.bench_function(BenchmarkId::new("choose, then caller leaves", agents), |b| {
            b.iter(|| {
                let (work, rung) = floor.enqueue();
                assert!(rung.is_some());
                floor.withdraw(work);
            });
        });
        let mut floor = Floor::new(agents, false);
        for _ in 0..1000 {
            floor.enqueue();
        }
        group.bench_function(BenchmarkId::new("wait behind 1000, then leave", agents), |b| {
            b.iter(|| {
                let (work, _) = floor.enqueue();
                floor.withdraw(work);
            });
        });
        let mut floor = Floor::new(agents, true);
        group.bench_function(BenchmarkId::new("arrival, attempt, call, end", agents), |b| {
            b.iter(|| floor.whole_call());
        });
    }
    let floor = Floor::new(1, false);
    let source = "192.0.2.77".parse().expect("an address");
    group.bench_function("trunk, number and flow among 1000 numbers", |b| {
        b.iter(|| {
            let trunk = floor.directory.trunk_of(std::hint::black_box(source)).expect("a trunk");
            route(&floor.directory, trunk, std::hint::black_box("+15550000500")).expect("a route")
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(base::Duration::from_secs(1))
        .measurement_time(base::Duration::from_secs(3));
    targets = decisions
}
criterion_main!(benches);
