//! The command line, and what it comes to.

use std::path::PathBuf;

use clap::Parser;

use super::cluster::Shape;

/// Measures the controller with 2 000 Services, 20 000 endpoints and 2 000 proxies that watch them.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "bench-controller",
    after_help = "Examples:
  # The figures of the README, in about 3 minutes
  make bench-controller

  # Fewer changes, in about one; results also as JSON
  make bench-controller ARGS=\"--quick --json /tmp/controller.json\"

  # All in one namespace, ten times the endpoints for each service
  make bench-controller ARGS=\"--quick --namespaces 1 --endpoints 100 --services 200\"

Exit status: 0 measured (a missed target is in the table), 1 the run failed, 2 wrong usage."
)]
pub struct Args {
    /// Fewer changes
    #[arg(long, conflicts_with = "smoke")]
    pub quick: bool,
    /// A small cluster and a moment of everything: does the harness work? Its figures mean nothing
    #[arg(long)]
    pub smoke: bool,
    /// Services, each with one EndpointSlice
    #[arg(long, value_name = "N", value_parser = number(10))]
    pub services: Option<usize>,
    /// Endpoints of each Service, each a Pod with a proxy
    #[arg(long, value_name = "N", value_parser = number(1))]
    pub endpoints: Option<usize>,
    /// Namespaces that they are spread over
    #[arg(long, value_name = "N", value_parser = number(1))]
    pub namespaces: Option<usize>,
    /// Nodes that they are spread over
    #[arg(long, value_name = "N", value_parser = number(1))]
    pub nodes: Option<usize>,
    /// Proxies that watch, each over two connections
    #[arg(long, value_name = "N", value_parser = number(1))]
    pub proxies: Option<usize>,
    /// Services that each proxy sends to, one of them the same for all: four streams each, and two more
    #[arg(long, value_name = "N", value_parser = number(1))]
    pub targets: Option<usize>,
    /// Write the figures there as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Folder for controller-DATE.md; none is written without
    #[arg(long, value_name = "FOLDER")]
    pub results: Option<PathBuf>,
    /// The controller [default: mesh-controller beside this program]
    #[arg(long, value_name = "FILE")]
    pub controller: Option<PathBuf>,
}

fn number(least: u64) -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    let numbers = clap::value_parser!(u64).range(least..=100_000);
    numbers.map(|number| usize::try_from(number).expect("at most 100 000"))
}

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What there is.
    pub shape: Shape,
    /// Single changes, of a service that few watch.
    pub changes: usize,
    /// Single changes of the service that all watch.
    pub common: usize,
    /// Bursts.
    pub bursts: usize,
    /// Changes in each burst.
    pub burst: usize,
    /// Writes that change nothing.
    pub heartbeats: usize,
    /// Time in which nothing happens, in seconds.
    pub idle: u64,
    /// Pods that the webhook is asked about.
    pub reviews: usize,
}

impl Args {
    /// What these arguments come to.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let (services, proxies) = if self.smoke { (50, 20) } else { (2000, 2000) };
        let shape = Shape {
            services: self.services.unwrap_or(services),
            endpoints: self.endpoints.unwrap_or(10),
            namespaces: self.namespaces.unwrap_or(20),
            nodes: self.nodes.unwrap_or(100),
            proxies: self.proxies.unwrap_or(proxies),
            targets: self.targets.unwrap_or(5),
        };
        let (changes, common, bursts, heartbeats, idle, reviews) = if self.smoke {
            (5, 3, 1, 20, 1, 20)
        } else if self.quick {
            (100, 20, 3, 500, 10, 2000)
        } else {
            (500, 100, 10, 2000, 30, 10_000)
        };
        Settings {
            shape,
            changes,
            common,
            bursts,
            burst: 100.min(shape.services - 1),
            heartbeats,
            idle,
            reviews,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
        let args = Args::parse_from(["bench-controller", "--smoke", "--services", "10"]);
        let settings = args.settings();
        assert_eq!((settings.shape.services, settings.burst), (10, 9));
    }
}
