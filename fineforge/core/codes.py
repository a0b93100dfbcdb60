"""The table of error codes: one row per code, read by `fineforge explain FF...`, by docs/error-codes.md and by the tests.

A row says what the code means and what to do in general; the diagnostic's own message and hint say it for the case at hand.
Ranges: FF0xx command line, 1xx spec, 2xx render, 3xx plan and policy, 4xx Azure, 5xx apply, 6xx data, 7xx emulator.
A code is never reused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    title: str
    explanation: str
    """Why fineforge refuses, and what to do, in one to three sentences."""


CODES: dict[str, Code] = {
    # --- FF0xx: the command line itself ----------------------------------------------------------------------------
    "FF001": Code(
        "internal error in fineforge",
        "This is a bug in fineforge, not in your spec. The file named in the hint holds the traceback with secrets removed; "
        "please report it. Everything applied so far stays applied, and running the same command again continues from there.",
    ),
    "FF002": Code(
        "invalid command line",
        "A command or option is unknown, an argument is missing, or a value has the wrong form. Add `--help` to any command to "
        "see what it accepts.",
    ),
    "FF003": Code(
        "cannot ask for confirmation",
        "The command asks before it changes anything, but there is no terminal, or FINEFORGE_INPUT is 0. Read the plan, then "
        "add `--auto-approve`.",
    ),
    "FF004": Code(
        "the file already exists",
        "`init` and `plan --out` never overwrite a file they did not write. Follow the hint, or move the file away.",
    ),
    "FF005": Code(
        "nothing to explain under that name",
        "`explain` accepts a spec file, a base model or component of the catalog, or an error code.",
    ),
    "FF006": Code(
        "option does not apply to a saved plan",
        "`apply` takes the target and every decision from the plan file. Remove the option, or create a new plan.",
    ),
    "FF007": Code(
        "the file cannot be written",
        "The folder is missing or read-only, the disk is full, or the name is a link that leads outside the project. Existing "
        "files are unchanged.",
    ),
    "FF008": Code(
        "invalid request body",
        "`invoke --file` accepts JSON: a list of messages, an object with `messages` and `parameters`, or the request body of "
        "the registry's chat models.",
    ),
    # --- FF1xx: the spec, the project file, parameters -------------------------------------------------------------
    "FF101": Code(
        "invalid YAML",
        "The parser stopped at the position shown. The mistake is there or just before it: an unclosed bracket or quote, a "
        "missing space after `:`, or text that needs quotes.",
    ),
    "FF102": Code(
        "tab in the indentation",
        "YAML is indented with spaces only. Most editors can convert the tabs of a file to spaces.",
    ),
    "FF103": Code(
        "duplicate key",
        "Other tools silently keep the last value, so a reader cannot know which one applies. Keep one of them.",
    ),
    "FF104": Code(
        "more than one YAML document",
        "A file holds one spec, and `---` starts another document. Split the file.",
    ),
    "FF105": Code(
        "too many values",
        "YAML aliases can expand a small file to billions of values, so their number is limited. Write the values out, and keep "
        "data in data files.",
    ),
    "FF106": Code(
        "YAML tag",
        "Tags such as `!!python/object` make a parser construct objects. A spec holds only text, numbers, lists and mappings.",
    ),
    "FF107": Code(
        "control character",
        "A spec must not contain NUL or other invisible control characters. The file may be binary, or may have been truncated "
        "while it was written.",
    ),
    "FF108": Code(
        "not UTF-8",
        "The file was saved in another encoding. Save it as UTF-8; a byte order mark is allowed.",
    ),
    "FF109": Code(
        "the file is too large",
        "Each kind of file has a size limit, given in the message. A spec is a few kilobytes: check that you did not pass the "
        "dataset instead of the spec.",
    ),
    "FF110": Code(
        "nested too deeply",
        "No key of a spec is nested this deeply. Check for an unclosed bracket.",
    ),
    "FF111": Code(
        "not a mapping",
        "The file is empty, or holds a list or a single value. A spec is a mapping that starts with `version: 1`.",
    ),
    "FF112": Code(
        "the file cannot be read",
        "The file does not exist, is not a regular file (a folder, pipe or device), has an invalid name, or the operating "
        "system denied access.",
    ),
    "FF113": Code(
        "number out of range",
        "The number is infinite, not a number, beyond 64 bits, or so small that it would become 0. Quote text that looks like "
        "such a number, for example an id.",
    ),
    "FF120": Code(
        "unknown key",
        "fineforge rejects keys it does not know, because a misspelled key would silently have no effect. `fineforge schema` "
        "prints all keys, and editors can complete them from it.",
    ),
    "FF121": Code(
        "missing key",
        "The spec is incomplete without this key. The hint says what it is for.",
    ),
    "FF122": Code(
        "wrong type of value",
        "The key expects text, a number, true or false, a list, a mapping or one of a set of words. Text that looks like a "
        "number needs quotes, and a key without a value is not the same as an absent key.",
    ),
    "FF123": Code(
        "value out of range",
        "A number is too small or too large, a text is too long, or a name contains characters that the service rejects.",
    ),
    "FF124": Code(
        "parameter set in two blocks",
        "`training` and `optimization` share one namespace, because both hold inputs of the component. Set the parameter in one "
        "of them.",
    ),
    "FF125": Code(
        "conflicting keys",
        "Two keys contradict each other, or one of several is required. The message names them.",
    ),
    "FF126": Code(
        "invalid tag",
        "An object can have at most 50 tags, and fineforge needs some of them. Tag names have up to 512 characters, exclude `< "
        "> % & \\ ? /`, are case-insensitive, and must not start with `fineforge-`.",
    ),
    "FF131": Code(
        "unknown parameter",
        "`training` and `optimization` accept the inputs of the component version that will run. `fineforge explain COMPONENT` "
        "lists them. Azure itself would report the mistake only after the job has started.",
    ),
    "FF132": Code(
        "invalid parameter value",
        "The input of the component is a number within limits or one of a set of words. Limits can also come from the model's "
        "metadata (`learning_rate_min`, `learning_rate_max`).",
    ),
    "FF133": Code(
        "missing required parameter",
        "The component has no default for this input. Set it in `training`.",
    ),
    "FF134": Code(
        "parameter is set elsewhere",
        "Clusters, instance types and nodes come from `compute` and `job.nodes`; assets come from `model` and `dataset`. "
        "Setting them a second time could contradict the first.",
    ),
    "FF135": Code(
        "invalid default in the model's metadata",
        "The registry's metadata for this model holds a value that the component rejects, so the next default in line is used. "
        "Set the parameter in the spec to be explicit.",
    ),
    "FF136": Code(
        "spec overrides the model's default",
        "This is a notice: the model's publisher recommends another value. The spec takes precedence, as the plan shows. In the "
        "official walkthrough the model's defaults take precedence without a message.",
    ),
    "FF137": Code(
        "parameter has no effect",
        "The component accepts this input, but none of its steps reads it. Remove it so that no reader relies on it.",
    ),
    "FF140": Code(
        "spec does not allow this target",
        "`targets` in the spec lists where it may be applied. Use one of those targets, or extend the list.",
    ),
    "FF141": Code(
        "fine-tuning of the model is retired",
        "The service rejects new jobs after the retirement date; models that are already trained stay usable. Choose another "
        "base model, or set `model.allow_retired`.",
    ),
    "FF142": Code(
        "the model approaches retirement",
        "The publisher has deprecated fine-tuning, or retired the model for inference. It still works today; plan to move to "
        "another model.",
    ),
    "FF143": Code(
        "model metadata is incomplete",
        "Part of the registry's metadata is missing or unreadable, so the checks that depend on it are skipped. All other "
        "checks run.",
    ),
    "FF144": Code(
        "model or component does not support the task",
        "Model metadata lists the tasks a model can be fine-tuned for, and every task has its own training component.",
    ),
    "FF145": Code(
        "wrong type of data",
        "fineforge prepares a split as one file (uri_file). For an input that expects a table or a folder, set the split's "
        "`source` to a data asset of that type.",
    ),
    "FF146": Code(
        "unknown model",
        "The registry has no such model or version. Without a network, the dated snapshot of the catalog is used. "
        "`model.version` is required, because a newer version is another model.",
    ),
    "FF147": Code(
        "unknown component",
        "The registry has no such training component or version. `component.version` is required, because defaults and inputs "
        "change between versions.",
    ),
    "FF148": Code(
        "the model is archived",
        "The registry hides archived models from lists. They can be used by name and version until they are retired.",
    ),
    "FF149": Code(
        "cannot infer an input or output of the component",
        "For components outside the catalog, fineforge infers from types and names which input takes the model, which input "
        "takes each split, and which output is the trained model. Where that is ambiguous, set `component.assets`.",
    ),
    "FF150": Code(
        "unknown VM size",
        "The region, or without a network the dated snapshot, does not list this size. `lifecycle.allow_unlisted` turns the "
        "error into a warning for sizes newer than the snapshot.",
    ),
    "FF151": Code(
        "the VM size is retired",
        "Azure no longer offers this size, although models and components may still list it. A retirement date in the future is "
        "a warning.",
    ),
    "FF152": Code(
        "the VM size is not supported here",
        "Training clusters and managed online endpoints each support only certain sizes.",
    ),
    "FF153": Code(
        "the VM size is not in the model's list",
        "The model's publisher lists the sizes it was tested on. `lifecycle.allow_unlisted: true` turns the error into a "
        "warning.",
    ),
    "FF154": Code(
        "the model lists no VM sizes",
        "Without a list, fineforge rejects only the four K80 sizes that the official notebooks reject. Any other size may still "
        "be too small.",
    ),
    "FF155": Code(
        "more nodes than the cluster has",
        "The job would wait forever for nodes that the cluster cannot have. Raise `compute.max_nodes` or lower `job.nodes`.",
    ),
    "FF156": Code(
        "GPU count does not match the VM size",
        "A node of this size has no GPU, or fewer GPUs than the job would use. If it has more than the job would use, this is a "
        "warning.",
    ),
    "FF157": Code(
        "unknown metric",
        "The training component is not known to log this metric. A gate on a metric that is never logged cannot pass.",
    ),
    "FF158": Code(
        "unknown name in `lifecycle`",
        "`prevent_destroy` accepts kinds: compute, data, job, model, endpoint, deployment. `ignore` accepts keys of the spec "
        "with their block, such as `deployment.instances` or `tags.owner`.",
    ),
    "FF160": Code(
        "invalid project file",
        "`fineforge.yaml` names the project, its targets and defaults; `config.json` is the workspace file that the Azure "
        "portal offers. One of them holds an invalid value.",
    ),
    "FF161": Code(
        "no workspace",
        "A target is an entry of `targets` in `fineforge.yaml`. Without one, fineforge uses AZUREML_ARM_SUBSCRIPTION, "
        "AZUREML_ARM_RESOURCEGROUP and AZUREML_ARM_WORKSPACE_NAME, then a `config.json`. The target `local` is the emulator.",
    ),
    "FF162": Code(
        "key belongs in the spec itself",
        "Defaults and overlays are partial specs. They must not set `version` or `name`, and must not contain overlays.",
    ),
    "FF163": Code(
        "overlay for an unknown target",
        "The keys of `overlays` are the targets of the project file, and `local`. A misspelled target would silently have no "
        "effect.",
    ),
    "FF164": Code(
        "unknown variable",
        "Variables are declared under `variables` in `fineforge.yaml`. `--var`, variable files and `${var.NAME}` accept only "
        "those.",
    ),
    "FF165": Code(
        "variable without a value",
        "The variable has no default, and `--var`, `--var-file` and the environment do not set it.",
    ),
    "FF166": Code(
        "variable has the wrong type",
        "The value must have the type declared in the project file. Inside text, a reference must resolve to text, a number, "
        "true or false.",
    ),
    "FF167": Code(
        "variable refers to itself",
        "A default may refer to other variables, but not in a cycle.",
    ),
    "FF168": Code(
        "environment variable is not set",
        "`${env.NAME}` requires the variable to be set. `${env.NAME:-DEFAULT}` provides a value for when it is unset or empty.",
    ),
    "FF169": Code(
        "invalid reference",
        "In the values of a spec, `${` starts `${var.NAME}` or `${env.NAME}`. Write `$${` for a literal `${`.",
    ),
    "FF170": Code(
        "the lock file cannot be used",
        "It is damaged, or was written by a newer fineforge. Restore it from git, or delete it and let `fineforge lock` write "
        "it again with today's latest versions.",
    ),
    "FF171": Code(
        "a newer version is available",
        "This is a notice: a version newer than the pinned one exists, or a registry has edited the metadata of a version. "
        "Plans keep to the pins and retrain nothing until `fineforge lock --upgrade` moves them.",
    ),
    "FF172": Code(
        "specs of several projects",
        "Every project has one lock file, next to its `fineforge.yaml`. Lock the specs of one project at a time.",
    ),
    "FF173": Code(
        "secret in a spec",
        "The content of a spec appears in plans and tags, so fineforge does not read environment variables whose names mark "
        "them as secrets. Use the workspace's key vault or a managed identity instead.",
    ),
    "FF174": Code(
        "variables expand to too much text",
        "References can refer to variables whose defaults contain references. The chain is too long, or the resulting text is "
        "too large. Use fewer references in defaults, or write the value out.",
    ),
    "FF180": Code(
        "broken link",
        "A folder of specs contains a symbolic link to a missing file. The other specs are planned, but `apply --prune` refuses "
        "to run until the link is fixed.",
    ),
    "FF181": Code(
        "no spec found",
        "Every .yaml file in a folder is a spec, except hidden files, fineforge's own files and what `.fineforgeignore` "
        "excludes. No file is left.",
    ),
    "FF182": Code(
        "git cannot determine what changed",
        "`--select changed-since:REF` compares with the point where the branch diverged from REF. The folder is not a "
        "repository, git is not installed, or the clone is too shallow to hold that commit.",
    ),
    "FF183": Code(
        "two specs use the same name",
        "Within a project, spec names, registered model names and endpoint names are unique. The message names the other place.",
    ),
    "FF184": Code(
        "two specs define a cluster differently",
        "Several specs can share a cluster if they define it in the same way: it is created once, and deleted with the last of "
        "them. Use the same definition in both, or set `existing: true` in one.",
    ),
    "FF185": Code(
        "spec waits for another spec that did not start",
        "Several specs of one apply share a cluster. The spec that writes to it first did not start, because its data is "
        "invalid or another apply holds its lease. The specs that depend on its write did not start either. Independent specs "
        "continue.",
    ),
    "FF190": Code(
        "cannot be adopted",
        "`adopt` writes the owner tags of a spec on an existing cluster, endpoint or deployment that has no owner. Assets and "
        "jobs are named after their content; they are created, not adopted.",
    ),
    "FF191": Code(
        "no objects with that name",
        "`destroy --name` finds objects by their owner tags, project and spec. The project's name comes from the "
        "`fineforge.yaml` above the working directory, or without one from the spec.",
    ),
    "FF192": Code(
        "pruning is refused",
        "`apply --prune` deletes objects that carry this project's tags and belong to no spec. It requires every spec of the "
        "project to be read: no selection, no invalid spec, no shallow clone. It also requires `--allow-delete`.",
    ),
    # --- FF2xx: templates and rendering ----------------------------------------------------------------------------
    "FF201": Code(
        "a template cannot be rendered",
        "The template has a syntax error, uses an undefined name, or does something the sandbox forbids. `fineforge render` "
        "shows the result of each template.",
    ),
    "FF202": Code(
        "a template does not produce YAML",
        "The output of the template is not valid YAML. Write every value as `{{ name|tojson }}`, which quotes it where needed.",
    ),
    "FF203": Code(
        "a template does not produce a mapping",
        "Each template produces one document of keys and values, as `az ml ... create --file` expects.",
    ),
    "FF204": Code(
        "a template renames its object",
        "Name, version and endpoint come from the spec, and fineforge finds its objects by them. A template may add keys, but "
        "must keep these unchanged.",
    ),
    "FF205": Code(
        "a template changes a value that the name depends on",
        "The names of jobs, versions and deployments are derived from the values in the spec. A template that sets other values "
        "would let two different objects share a name. Set the value in the spec; set the inputs of a job under `training` or "
        "`optimization`.",
    ),
    "FF206": Code(
        "a template drops the owner tags",
        "Every object carries tags that name its owner; without them fineforge could not recognize it. Keep `tags: {{ "
        "tags|tojson }}` in the template, or add tags to it.",
    ),
    "FF207": Code(
        "a template takes too much time or memory",
        "A project's own template may take 5 seconds and 1 GiB of memory, and produce 1 MiB of YAML. Simplify its loops; every "
        "object of Azure Machine Learning is described by a few kilobytes.",
    ),
    # --- FF3xx: planning and policy --------------------------------------------------------------------------------
    "FF301": Code(
        "an existing object is missing",
        "`existing: true` means that the object is managed elsewhere, so fineforge does not create it. Create it, correct the "
        "name, or remove `existing`.",
    ),
    "FF302": Code(
        "an object differs from the spec and cannot be changed",
        "The object has another owner, or another spec uses it too, so fineforge neither updates nor replaces it. Describe it "
        "in the spec as it is, or choose another name.",
    ),
    "FF303": Code(
        "the name is taken",
        "An object with this name exists and does not belong to this spec. fineforge changes only objects that carry its own "
        "tags. Choose another name.",
    ),
    "FF304": Code(
        "the version exists with other content",
        "Versions of data and models never change, and this version was created from other content. Rename the spec or the "
        "asset to create a new version.",
    ),
    "FF305": Code(
        "the job failed or was cancelled",
        "The message quotes the service. fineforge does not resubmit a failed job on its own: fix the cause, then run "
        "`fineforge apply --retry-failed`, or set `job.retries`.",
    ),
    "FF306": Code(
        "deletion is prevented",
        "`lifecycle.prevent_destroy` lists the kind of an object that this plan would delete or replace. Remove the kind from "
        "the list if the deletion is intended.",
    ),
    "FF307": Code(
        "a metric gate refuses",
        "The finished run is outside a bound of `gates.metrics`, so its model is not registered and nothing else changes. Train "
        "again with other parameters, or change the bound.",
    ),
    "FF308": Code(
        "another owner's deployment has live traffic",
        "Moving traffic would take it from a deployment that does not belong to this spec. Move that traffic yourself, or use "
        "another endpoint.",
    ),
    "FF309": Code(
        "inconsistent plan",
        "A plan must be complete: unique steps without a cycle, each with everything it writes and expects. Either the plan "
        "file was edited or fineforge has a bug. Create a new plan.",
    ),
    "FF320": Code(
        "a policy denies the plan",
        "A rule of the project does not allow this plan to be applied. The hint names the rule and its position. Change the "
        "spec, or ask the owner of the rule to add the spec to its `except`.",
    ),
    "FF321": Code(
        "a policy warns",
        "A rule of the project reports something about this plan. The plan can be applied.",
    ),
    "FF322": Code(
        "invalid rule",
        "The expression is not valid CEL or refers to unknown values, a shipped rule does not exist or lacks its values, or two "
        "rules share a name. Nothing is applied until the rule is fixed, because its verdict is unknown.",
    ),
    "FF323": Code(
        "a rule fails",
        "The rule returned no verdict for a plan, usually because it uses a key that not every spec has: write "
        "`has(spec.deployment) && ...`. Nothing is applied until the rule is fixed. `fineforge policy test` evaluates rules "
        "without a workspace.",
    ),
    "FF324": Code(
        "a policy case cannot run",
        "The spec or plan of the case is missing or invalid, or there is no case at all. Paths are relative to the folder of "
        "the case's file; a plan is the output of `fineforge plan --json`.",
    ),
    "FF325": Code(
        "a rule takes too much time or memory",
        "The rules of a project may take 5 seconds and 1 GiB of memory for one plan. Nothing is applied until the rule is "
        "simplified, because its verdict is unknown. Nested loops multiply the lengths of their lists.",
    ),
    # --- FF4xx: Azure ----------------------------------------------------------------------------------------------
    "FF400": Code(
        "Azure rejected the request",
        "The message quotes the service, and fineforge has no better advice. The failed step changed nothing else.",
    ),
    "FF401": Code(
        "no credentials",
        "No way to sign in is configured; the message lists what was tried. `az login` is the simplest. In GitHub Actions, give "
        "the workflow `id-token: write` and set AZURE_CLIENT_ID and AZURE_TENANT_ID.",
    ),
    "FF402": Code(
        "sign-in failed",
        "Azure or the endpoint rejected the credentials: they are expired, revoked, or belong to another tenant.",
    ),
    "FF403": Code(
        "missing permission",
        "You are signed in, but your role does not allow this action; the hint names it. docs/rbac.md lists what each command "
        "needs.",
    ),
    "FF404": Code(
        "not found",
        "Azure has no object with this name, or the endpoint has no deployment that accepts the request.",
    ),
    "FF405": Code(
        "workspace not found",
        "The subscription, resource group or workspace of the target is misspelled, deleted, or not visible to you.",
    ),
    "FF406": Code(
        "throttled by Azure",
        "You or others in the subscription sent too many requests. fineforge has already waited and retried. Run the command "
        "again later; it continues from there.",
    ),
    "FF407": Code(
        "Azure service error",
        "The service failed after several retries. Completed steps stay completed: run the same command again.",
    ),
    "FF408": Code(
        "not supported by the emulator",
        "The local emulator answers 501 for everything it does not implement, so that no gap is mistaken for support.",
    ),
    "FF409": Code(
        "Azure is unreachable",
        "There is no connection: check the network, proxy and certificate, or whether the emulator has stopped.",
    ),
    "FF410": Code(
        "not enough quota",
        "The subscription has too little quota for cores of this VM family. For most sizes a deployment also reserves 20 %, "
        "rounded up to whole machines.",
    ),
    "FF411": Code(
        "the region does not offer the VM size",
        "The size is unknown in this region, or the subscription has no quota entry for its family.",
    ),
    "FF412": Code(
        "the endpoint name is taken",
        "Endpoint names are unique in a region across all customers. Set `endpoint.name`.",
    ),
    "FF413": Code(
        "the first provisioning failed",
        "Azure cannot update such an object. The next plan deletes and recreates it.",
    ),
    "FF414": Code(
        "another operation is in progress",
        "Azure runs one operation at a time on an object. Wait until the other operation ends.",
    ),
    "FF415": Code(
        "the name exists with other content",
        "Versions and job names are never reused for other content. This one was created outside fineforge, or by another "
        "version of it.",
    ),
    "FF416": Code(
        "provisioning failed",
        "Azure accepted the object but could not start it: check the image, the container, the model files and the network. The "
        "message quotes the service.",
    ),
    "FF417": Code(
        "the upload failed",
        "The workspace's storage account did not accept the prepared data. Nothing was created from it.",
    ),
    "FF418": Code(
        "azure-ai-ml rejects the YAML",
        "The SDK does not accept the rendered object, usually because of a custom template. `fineforge render` shows it.",
    ),
    "FF419": Code(
        "the endpoint returned an error",
        "The request reached the deployment, and the model server failed or timed out.",
    ),
    "FF420": Code(
        "the log is not available yet",
        "The service provides no log of a deployment that is being created, updated or deleted. Wait until the operation ends.",
    ),
    "FF421": Code(
        "no such job",
        "The workspace has no job for the current spec: it was never applied, or something that determines the result has "
        "changed since. `fineforge plan` shows what would be submitted.",
    ),
    "FF422": Code(
        "nothing to import under that name",
        "`import` accepts the name of a job, `endpoint/NAME`, or `deployment/ENDPOINT/NAME` in the workspace of the target.",
    ),
    "FF423": Code(
        "a spec cannot describe this object",
        "A spec trains with one pipeline of a registry from one of its models, or deploys a registered model. Objects created "
        "in another way cannot be imported.",
    ),
    "FF424": Code(
        "unexpected answer",
        "The service, or something in front of it, returned a web page, an empty or truncated body, JSON of another form, or a "
        "body without an end. fineforge never treats this as absence, so it deletes and creates nothing because of it. The "
        "message names host and path. Check the proxy and the network, then run the same command again.",
    ),
    # --- FF5xx: apply ----------------------------------------------------------------------------------------------
    "FF500": Code(
        "a step failed unexpectedly",
        "This is neither a refusal by Azure nor a known failure; the message names the error. Please report it, and run the "
        "same command again.",
    ),
    "FF501": Code(
        "the object changed after the plan",
        "An object was modified between the plan and its step, so the step did not run. Create a new plan and review what "
        "changed.",
    ),
    "FF502": Code(
        "the object disappeared",
        "An object was deleted while fineforge waited for it.",
    ),
    "FF503": Code(
        "the operation failed",
        "Azure reports that the job or the provisioning failed. The message quotes the service.",
    ),
    "FF504": Code(
        "the job was cancelled",
        "A user, or a newer version of the spec, cancelled the job. fineforge resubmits a cancelled job only on request.",
    ),
    "FF505": Code(
        "the job produced no model",
        "The job completed, but the output that would be registered is empty. Azure would register it anyway. The job's log "
        "says why nothing was written.",
    ),
    "FF510": Code(
        "a metric gate refused",
        "The metric of the run is outside the bounds of `gates.metrics`, so the model is not registered. Nothing else changed.",
    ),
    "FF511": Code(
        "a smoke gate refused",
        "The answer of the new deployment does not match `gates.smoke`, so no traffic moves. Nothing else changed.",
    ),
    "FF521": Code(
        "the saved plan cannot be used",
        "The file is damaged, is not a plan, or has a format that this version of fineforge does not read. Create a new plan.",
    ),
    "FF522": Code(
        "the saved plan is for another workspace",
        "The target now leads to another workspace. A plan is applied only where it was created.",
    ),
    "FF523": Code(
        "the spec changed after the plan",
        "The spec, its layers, variables or lock file differ from what was reviewed. A saved plan is applied exactly as it was "
        "created, or not at all. Create a new plan.",
    ),
    "FF530": Code(
        "another apply is running",
        "Another process is applying or destroying the same spec at the same target and holds its apply lease; the message says "
        "who, since when and from where. `--lock-timeout 5m` waits. A dead holder loses the lease within a minute. Use "
        "`fineforge lease release` only if you are sure that no process is running.",
    ),
    "FF531": Code(
        "the apply lease was lost",
        "The lease was released by hand, or the storage was unreachable for too long, so another apply may have started. No "
        "further step was started, and running operations were waited for. Run the same command again.",
    ),
    "FF532": Code(
        "could not acquire the apply lease",
        "The lease is a blob in the workspace's default datastore. The identity needs the role Storage Blob Data Contributor "
        "there, or permission to list the datastore's secrets, and network access through the account's firewall. "
        "`--lock=false` runs without a lease.",
    ),
    "FF533": Code(
        "the release was not confirmed",
        "Releasing a lease that another process holds lets a second apply write at the same time. There is no terminal to ask "
        "on; `--force` confirms.",
    ),
    # --- FF6xx: data -----------------------------------------------------------------------------------------------
    "FF601": Code(
        "data not found",
        "The file, folder or source split that `dataset` names does not exist. Paths are relative to the spec's folder. A "
        "folder holds one `<name>.jsonl` per source split, and `from` defaults to the name of the split.",
    ),
    "FF602": Code(
        "path leads outside the project",
        "After links are resolved, files are read only from inside the project's folder, so that a project by another author "
        "cannot read or send your files. Move the file, move `fineforge.yaml` to a folder above it, or add `--allow-outside`.",
    ),
    "FF603": Code(
        "the data cannot be read",
        "The operating system refused to read the file; the message quotes it. Check its permissions, and that it is a regular "
        "file.",
    ),
    "FF604": Code(
        "a split has no rows",
        "The file is empty, or the percentage of its rows rounds to zero. Rounding is half to even, as in the `datasets` "
        "library. Raise `percent`, or set `rows`.",
    ),
    "FF605": Code(
        "the prepared data cannot be written",
        "Prepared rows are written to a cache before they are uploaded, and the disk is full or the folder is not writable. "
        "Nothing was created and no partial file is left. Free some space and run the command again.",
    ),
    "FF606": Code(
        "the data changed after the plan",
        "A file changed after the plan was created, so the upload would differ from what was planned. Wait until the file is "
        "complete, and create a new plan.",
    ),
    "FF607": Code(
        "fewer rows than requested",
        "`rows` is larger than the number of rows in the source split. All rows are used; lower the number to silence this "
        "warning.",
    ),
    "FF608": Code(
        "a row is not UTF-8",
        "Training reads UTF-8 only. Save the file in that encoding; the message names the first invalid byte.",
    ),
    "FF609": Code(
        "a row is not JSON",
        "Each line of a .jsonl file is one complete JSON object. Rewrite a file that holds one large list or indented JSON with "
        "one object per line.",
    ),
    "FF610": Code(
        "a row is too long",
        "A row is longer than 16 MiB. Usually the file is not JSON Lines but one JSON document without line breaks.",
    ),
    "FF611": Code(
        "a row has no messages",
        "Each row is an object with `messages`: a list of objects with the text fields `role` and `content`. Other keys are "
        "kept and ignored.",
    ),
    "FF612": Code(
        "the roles of a row do not form a conversation",
        "A `system` message may come first; then `user` and `assistant` alternate, and the assistant comes last, because "
        "training uses only its turns. Fix the rows, or exclude them: `filter: messages[size(messages) - 1].role == "
        '"assistant"` keeps those that end with an answer. In `test`, which is not trained on, rows that end with the user\'s '
        "turn are a warning, because their last turn has no answer to measure.",
    ),
    "FF613": Code(
        "empty message",
        "A message that holds only whitespace teaches the model to answer with nothing. Fill it, or exclude such rows: `filter: "
        'messages.all(m, m.content.matches("\\\\S"))` keeps the others.',
    ),
    "FF614": Code(
        "lone surrogate in a message",
        "JSON can encode one half of a surrogate pair (such as `\\ud83d`), which is not a character and which no tokenizer "
        "accepts. It usually comes from text that was cut in the middle of an emoji.",
    ),
    "FF615": Code(
        "duplicate prompt in a split",
        "Two rows of one split start with the same user message. The model cannot learn both answers; keep one unless this is "
        "intended.",
    ),
    "FF616": Code(
        "the same prompt in two splits",
        "Rows of validation or test start with a user message that is also trained on, so their metrics measure memorization. "
        "Remove the prompt from one of the splits.",
    ),
    "FF617": Code(
        "conversation longer than the model's context",
        "At an estimated four characters per token, the conversation exceeds the context and its end would be cut off. Shorten "
        "it, or choose a model with a longer context.",
    ),
    "FF618": Code(
        "unpinned source",
        "The content behind `hf://` and `https://` can change, so the lock file pins the commit, ETag or SHA-256. `fineforge "
        "lock` writes it; commit the file. `hf://owner/name@<40 digits>` needs no pin.",
    ),
    "FF619": Code(
        "dataset, revision or file not found",
        "The server does not have it: the name is wrong, it was deleted, or it is private and no token was sent. `fineforge "
        "lock --upgrade` pins the current version.",
    ),
    "FF620": Code(
        "access to the dataset is denied",
        "The dataset is gated, or the token may not read it. Accept the dataset's terms on its page, and set HF_TOKEN to a "
        "token of that account.",
    ),
    "FF621": Code(
        "no such configuration or split in the dataset",
        "`dataset.config` names a configuration of a hub dataset, and `from` names a split in it; the hint lists what exists. "
        "`from` defaults to the name of the split.",
    ),
    "FF622": Code(
        "a source cannot be downloaded",
        "The server asked to wait, failed, or kept dropping the connection. Partial files are never used; they stay in the "
        "cache, so the next run resumes the download.",
    ),
    "FF623": Code(
        "invalid filter",
        "`filter` is a CEL expression over the columns of a row, such as `size(messages) > 2`. The message gives the position "
        "in it. A filter has at most 2,000 characters.",
    ),
    "FF624": Code(
        "a filter fails on a row",
        "The expression could not be evaluated for the row, or did not return true or false: a column is missing, or types do "
        "not match. `has(column.key)` tests whether a key exists.",
    ),
    "FF625": Code(
        "a row lacks a column",
        "The task, or `columns` in the spec, needs a column that is missing or empty in the row. Compare the spelling with the "
        "columns in the hint.",
    ),
    "FF626": Code(
        "unknown kind of source",
        "Sources are paths, folders and patterns of .jsonl, .json, .csv, .tsv and .parquet files, `hf://owner/name[@revision]`, "
        "public `https://` URLs of such files, and `azureml:NAME:VERSION`.",
    ),
    "FF627": Code(
        "damaged data file",
        "The file cannot be read in its format: it is truncated, overwritten, or has another format. The message quotes the "
        "reader. Damaged files are not kept in the cache.",
    ),
    "FF628": Code(
        "rows cannot be written as JSON",
        "A column holds binary data such as images or sound, dates after the year 9999 or times in an unknown time zone, which "
        "JSON cannot represent, or two columns have the same name. Select other columns with `columns`.",
    ),
    "FF629": Code(
        "a data asset is used unchanged",
        "`azureml:NAME:VERSION` is data that already exists in the workspace. `percent`, `rows`, `sample`, `filter`, `columns` "
        "and `holdout` do not apply to it. To prepare the data again, use the source it was created from.",
    ),
    "FF630": Code(
        "invalid cache size",
        "FINEFORGE_CACHE_GIB sets the size of the data cache in GiB. The default is 20. The least recently used files are "
        "deleted first.",
    ),
    "FF631": Code(
        "a data file is too expensive to read",
        "The file takes more memory or time than a reader may use, or has more than 10,000 columns. Convert it to JSON Lines or "
        "to parquet with small row groups, and keep rows below 16 MiB.",
    ),
    "FF632": Code(
        "a filter takes too much time or memory",
        "A filter may take 5 seconds and another 10 milliseconds for each row, and 1 GiB of memory. A loop over a list of `n` "
        "elements takes time that grows with `n` squared, and each loop within it multiplies that. Use a simpler expression, or "
        "leave out the row that the message names.",
    ),
    # --- FF7xx: the emulator ---------------------------------------------------------------------------------------
    "FF701": Code(
        "the local emulator is not running",
        "The target `local` is an emulator of Azure ML that runs as a process on this machine. Start it with `fineforge "
        "emulator start`; its state is kept between runs.",
    ),
    "FF702": Code(
        "the emulator's port is unavailable",
        "Another program uses the port, or only an administrator may open it. Omit `--port` to use any free port; clients find "
        "it automatically.",
    ),
    "FF703": Code(
        "the emulator did not start",
        "The message holds the last lines of its log; `fineforge emulator logs` shows the rest. Often its folder is not "
        "writable: set FINEFORGE_EMULATOR_HOME to another one.",
    ),
    "FF704": Code(
        "the emulator's packages are missing",
        "The client does not need them, so they are installed separately: `pip install 'fineforge[local]'`.",
    ),
    "FF705": Code(
        "the command cannot be run",
        "`emulator exec -- COMMAND` runs one program and redirects its Azure traffic to the emulator. The program was not found "
        "or is not executable. Shell syntax needs `sh -c '...'`.",
    ),
    "FF706": Code(
        "the emulator is already running",
        "Two emulators cannot share one folder. An emulator with another port or trainer runs there, is starting or stopping, "
        "or has lost its `emulator.json`. Wait, stop it, or set FINEFORGE_EMULATOR_HOME to another folder.",
    ),
}
