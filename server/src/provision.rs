//! Provisioning on its way into the node: a file or an API request -> checked -> stored -> live.

mod sounds;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::Prompt;
use routing::{Directory, Provisioning, Secret};
use sip::digest;
use store::{PromptRow, Store};
use switch::Prompts;
use tokio::sync::{Mutex, oneshot, watch};

use crate::config::{ConfigFault, from_toml};
use crate::node::{CredentialFault, Reach};
use crate::persist::settings_of;
use crate::signalling::{Control, Handle};

/// Why a provisioning is not taken. It is refused whole; what was there stays.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionFault {
    /// The file.
    #[error("{0}")]
    File(#[from] ConfigFault),
    /// Rules that its content breaks, all of them.
    #[error("{}", listed(.0))]
    Content(Vec<ConfigFault>),
    /// The store did not take it.
    #[error("the store did not take the provisioning: {0}")]
    Store(#[from] store::StoreError),
    /// Credentials that must not be reachable from outside.
    #[error("{0}")]
    Credentials(#[from] CredentialFault),
    /// The node is stopping.
    #[error("the server is stopping")]
    Stopping,
}

fn listed(faults: &[ConfigFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A provisioning with its prompts' WAV files.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// What the file says.
    pub provisioning: Provisioning,
    /// The WAV files it names.
    pub prompts: Vec<PromptRow>,
}

/// A bundle that passed every check, ready to go live.
pub struct Checked {
    /// The bundle.
    pub bundle: Bundle,
    /// Indexed.
    pub directory: Arc<Directory>,
    /// Decoded.
    pub prompts: Arc<Prompts>,
}

impl Bundle {
    /// Reads a file and the prompt files beside it.
    ///
    /// # Errors
    /// What is wrong with the file, or which prompt cannot be read.
    pub fn read(path: &Path) -> Result<Self, ProvisionFault> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigFault::of_file(path, format!("cannot be read: {error}"), "check the path")
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(path, &text, |file| std::fs::read(folder.join(file)))
    }

    /// The same from a text, with the files from anywhere.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn parse(
        path: &Path,
        text: &str,
        file: impl Fn(&PathBuf) -> std::io::Result<Vec<u8>>,
    ) -> Result<Self, ProvisionFault> {
        let provisioning: Provisioning =
            toml::from_str(text).map_err(|error| from_toml(path, text, &error))?;
        // The content's rules first: they also keep prompt paths inside the folder.
        check_content(path, text, &provisioning)?;
        let mut prompts = Vec::new();
        let mut faults = Vec::new();
        for tenant in &provisioning.tenants {
            let files =
                tenant.prompts.iter().filter_map(|prompt| Some((prompt, prompt.file.as_ref()?)));
            for (prompt, path_of_file) in files {
                match file(path_of_file) {
                    Ok(wav) => {
                        let (tenant, id) = (tenant.id.clone(), prompt.id.clone());
                        prompts.push(PromptRow { tenant, id, wav });
                    }
                    Err(error) => faults.push(ConfigFault {
                        file: path.to_owned(),
                        line: line_with(text, &path_of_file.display().to_string()),
                        key: format!("tenants.{}.prompts.{}.file", tenant.id, prompt.id),
                        problem: format!("{} cannot be read: {error}", path_of_file.display()),
                        cure: "put the WAV file there, relative to this file".to_owned(),
                    }),
                }
            }
        }
        if faults.is_empty() {
            Ok(Self { provisioning, prompts })
        } else {
            Err(ProvisionFault::Content(faults))
        }
    }

    /// Checks the content, decodes the prompts (milliseconds of work a prompt), and forgets the
    /// agents' passwords: what goes live and into the store is what is kept of them.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn check(mut self) -> Result<Checked, ProvisionFault> {
        let origin = Path::new("provisioning");
        check_content(origin, "", &self.provisioning)?;
        keep_passwords(&mut self.provisioning);
        let directory = Directory::build(self.provisioning.clone())
            .map_err(|errors| content_faults(origin, "", &errors))?;
        let mut prompts = Prompts::new();
        let mut faults = Vec::new();
        for row in &self.prompts {
            match Prompt::from_wav(&row.wav) {
                Ok(prompt) => prompts.insert(row.tenant.clone(), row.id.clone(), Arc::new(prompt)),
                Err(error) => faults.push(ConfigFault {
                    file: origin.to_owned(),
                    line: None,
                    key: format!("tenants.{}.prompts.{}.file", row.tenant, row.id),
                    problem: error.to_string(),
                    cure: "give a WAV file of uncompressed samples".to_owned(),
                }),
            }
        }
        faults.extend(sounds::unsayable(&self.provisioning));
        if !faults.is_empty() {
            return Err(ProvisionFault::Content(faults));
        }
        sounds::complete(&directory, &mut prompts);
        Ok(Checked { bundle: self, directory: Arc::new(directory), prompts: Arc::new(prompts) })
    }
}

/// Of each agent's password only what proves it in the tenant's domain.
fn keep_passwords(provisioning: &mut Provisioning) {
    for tenant in &mut provisioning.tenants {
        let realm = tenant.domain.to_ascii_lowercase();
        for agent in &mut tenant.agents {
            let kept = digest::keep(agent.id.as_str(), &realm, &agent.password);
            agent.password = Secret::new(kept);
        }
    }
}

fn check_content(
    path: &Path,
    text: &str,
    provisioning: &Provisioning,
) -> Result<(), ProvisionFault> {
    match Directory::build(provisioning.clone()) {
        Ok(_) => Ok(()),
        Err(errors) => Err(content_faults(path, text, &errors)),
    }
}

fn content_faults(
    path: &Path,
    text: &str,
    errors: &[routing::ProvisioningError],
) -> ProvisionFault {
    let fault = |error: &routing::ProvisioningError| ConfigFault {
        file: path.to_owned(),
        line: line_of_id(text, &error.path),
        key: error.path.clone(),
        problem: error.problem.clone(),
        cure: error.cure.clone(),
    };
    ProvisionFault::Content(errors.iter().map(fault).collect())
}

/// The line of the thing that a path such as `tenants.acme.numbers[1].number` names by its id.
fn line_of_id(text: &str, path: &str) -> Option<usize> {
    let id = path.split('.').nth(1)?.split('[').next()?;
    line_with(text, &format!("id = \"{id}\""))
}

/// The first line that holds a text.
fn line_with(text: &str, wanted: &str) -> Option<usize> {
    text.lines().position(|line| line.contains(wanted)).map(|line| line + 1)
}

/// Takes provisioning live: into the store, to the calls, to the API's readers. One at a time.
#[derive(Clone)]
pub(crate) struct Provisioner {
    reach: Reach,
    store: Store,
    signalling: Handle,
    directory: watch::Sender<Arc<Directory>>,
    turn: Arc<Mutex<()>>,
}

impl Provisioner {
    pub(crate) fn new(
        reach: Reach,
        store: Store,
        signalling: Handle,
        directory: watch::Sender<Arc<Directory>>,
    ) -> Self {
        Self { reach, store, signalling, directory, turn: Arc::default() }
    }

    /// Checks a bundle that came over the API and takes it live. Prompts that it names without
    /// audio keep what they had.
    pub(crate) async fn apply(&self, mut bundle: Bundle) -> Result<(), ProvisionFault> {
        self.reach.check(&bundle.provisioning)?;
        let given: Vec<_> =
            bundle.prompts.iter().map(|row| (row.tenant.clone(), row.id.clone())).collect();
        for kept in self.store.prompts().await? {
            if !given.contains(&(kept.tenant.clone(), kept.id.clone())) {
                bundle.prompts.push(kept);
            }
        }
        let checked = tokio::task::spawn_blocking(move || bundle.check());
        let checked = checked.await.map_err(|_| ProvisionFault::Stopping)??;
        self.go_live(checked, Vec::new()).await
    }

    /// The first time: with what agents' phones were set to when the engine stopped.
    pub(crate) async fn start(&self, checked: Checked) -> Result<(), ProvisionFault> {
        let mut settings = Vec::new();
        for tenant in &checked.bundle.provisioning.tenants {
            let kept = self.store.agent_settings(&tenant.id).await?;
            settings.extend(kept.into_iter().map(settings_of));
        }
        self.go_live(checked, settings).await
    }

    /// Stores it, then lets calls see it.
    async fn go_live(
        &self,
        checked: Checked,
        settings: Vec<switch::AgentSettings>,
    ) -> Result<(), ProvisionFault> {
        let _turn = self.turn.lock().await;
        let Checked { bundle, directory, prompts } = checked;
        self.store.apply(&bundle.provisioning, &bundle.prompts).await?;
        let last_sequence = self.store.last_sequences().await?;
        let (done, live) = oneshot::channel();
        let control = Control::Provision {
            directory: directory.clone(),
            prompts,
            last_sequence,
            settings,
            done,
        };
        self.signalling.control.send(control).await.map_err(|_| ProvisionFault::Stopping)?;
        live.await.map_err(|_| ProvisionFault::Stopping)?;
        self.directory.send_replace(directory);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_provisioning_holds_no_password_and_stays_as_it_is_when_it_is_checked_again() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/demo.toml");
        let once = Bundle::read(&demo).unwrap().check().unwrap().bundle;
        let agents = |bundle: &Bundle| {
            let tenants = bundle.provisioning.tenants.iter();
            let agents = tenants.flat_map(|tenant| tenant.agents.clone());
            agents.map(|agent| agent.password).collect::<Vec<Secret>>()
        };
        let kept = agents(&once);
        assert!(kept.len() >= 3 && kept.iter().all(|password| digest::is_kept(password)));
        assert_eq!(agents(&once.check().unwrap().bundle), kept);
    }
}
