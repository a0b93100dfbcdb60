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
        "fineforge itself failed",
        "A mistake in fineforge, not in your spec. The file that the hint names holds the traceback, secrets removed; please "
        "report it. What had been applied stays applied: run the same command again, it goes on from what exists.",
    ),
    "FF002": Code(
        "the command line is not understood",
        "An unknown command or option, a missing argument, or a value of the wrong form. `--help` after any command shows what "
        "it takes.",
    ),
    "FF003": Code(
        "nobody can be asked",
        "The command would ask before it changes something, but there is no terminal, or FINEFORGE_INPUT is 0. Read the plan, "
        "then add `--auto-approve`.",
    ),
    "FF004": Code(
        "the file exists already",
        "`init` and `plan --out` write new files and never overwrite one that they did not write. The hint says what "
        "to do instead; or move the file away.",
    ),
    "FF005": Code(
        "nothing of that name can be explained",
        "`explain` knows specs (a file), base models of the catalog and components by name, and the codes of errors.",
    ),
    "FF006": Code(
        "a saved plan is applied as it is",
        "`apply` with a plan file takes the target and every decision from the file. Leave the options that would change it out, "
        "or plan again.",
    ),
    "FF007": Code(
        "a file cannot be written",
        "The folder is missing or read-only, or the disk is full. Nothing that existed was changed.",
    ),
    "FF008": Code(
        "not a request",
        "`invoke --file` takes JSON: a list of messages; an object with `messages` and `parameters`; or the body that the "
        "registry's chat models take.",
    ),
    # --- FF1xx: the spec, the project file, parameters -------------------------------------------------------------
    "FF101": Code(
        "not valid YAML",
        "The parser cannot read the file. The place is where it gave up; the mistake is there or just before: a bracket or "
        "quote that is not closed, a missing space after `:`, text that needs quotes.",
    ),
    "FF102": Code(
        "a tab in the indentation",
        "YAML indents with spaces only. Most editors can turn the tabs of a file into spaces.",
    ),
    "FF103": Code(
        "a key is given twice",
        "Other tools silently keep the last one, so a reader cannot know which counts. Keep one of them.",
    ),
    "FF104": Code(
        "more than one document",
        "A file holds one spec; `---` in the middle begins another document. Split the file.",
    ),
    "FF105": Code(
        "too many values",
        "Aliases can make a small file expand to billions of values, so the number is limited. Write the values out, and keep "
        "data in data files.",
    ),
    "FF106": Code(
        "a YAML tag",
        "Tags such as `!!python/object` make a parser construct things. A spec holds plain text, numbers, lists and mappings "
        "only.",
    ),
    "FF107": Code(
        "a control character",
        "NUL and other characters that cannot be seen have no place in a spec; often the file is binary, or was cut off while "
        "it was written.",
    ),
    "FF108": Code(
        "not UTF-8",
        "The file was saved in another encoding. Save it as UTF-8; a byte order mark at its beginning does no harm.",
    ),
    "FF109": Code(
        "the file is too large",
        "A spec has some kilobytes. Perhaps the name of the dataset's file was given instead of the spec's.",
    ),
    "FF110": Code(
        "nested too deeply",
        "No key of a spec lies that deep; usually brackets are not closed where they should be.",
    ),
    "FF111": Code(
        "not a mapping",
        "The file is empty, or holds a list or a single value. A spec is a mapping that begins with `version: 1`.",
    ),
    "FF112": Code(
        "the file cannot be read",
        "It does not exist, is a folder, or the operating system refuses to open it.",
    ),
    "FF120": Code(
        "an unknown key",
        "A key that fineforge does not know is refused, for a misspelt one would silently do nothing. `fineforge schema` "
        "prints all keys, and editors can complete them from it.",
    ),
    "FF121": Code(
        "a key is missing",
        "The spec cannot be understood without it. The hint says what it is for.",
    ),
    "FF122": Code(
        "a value of the wrong kind",
        "The key takes text, a number, true or false, a list, a mapping or one of several words, and got something else. Text "
        "that looks like a number needs quotes; a key without a value is not the same as no key.",
    ),
    "FF123": Code(
        "a value out of its limits",
        "A number is too small or too large, a text too long, or a name has characters that the service refuses.",
    ),
    "FF124": Code(
        "a parameter in two blocks",
        "`training` and `optimization` are one namespace: both hold inputs of the component, and nobody could say which of "
        "the two counts.",
    ),
    "FF125": Code(
        "keys that do not go together",
        "Two keys contradict each other, or one of several is needed. The message names them.",
    ),
    "FF126": Code(
        "a tag that Azure refuses",
        "An object has at most 50 tags, of which fineforge needs some. Names have up to 512 characters without `< > % & \\ ? "
        "/`, are compared without capitals, and must not begin with `fineforge-`.",
    ),
    "FF131": Code(
        "an unknown parameter",
        "`training` and `optimization` take the inputs of the component version that will run, by their own names. `fineforge "
        "explain COMPONENT` lists them. The service itself would only notice after the job has started.",
    ),
    "FF132": Code(
        "a parameter's value does not fit",
        "The component's input is a number within limits, or one of several words. Limits may also come from the model's "
        "metadata (`learning_rate_min`, `learning_rate_max`).",
    ),
    "FF133": Code(
        "a required parameter is missing",
        "The component has no default for an input that it needs. Set it in `training`.",
    ),
    "FF134": Code(
        "a parameter that is set elsewhere",
        "Clusters, instance types and nodes follow from `compute` and `job.nodes`, assets from `model` and `dataset`. Saying "
        "it twice could contradict itself.",
    ),
    "FF135": Code(
        "the model's own default is not valid",
        "The registry's metadata for this model holds a value that the component refuses, so the next lower default counts. "
        "Set the parameter in the spec to be sure.",
    ),
    "FF136": Code(
        "the spec overrides the model's own default",
        "Only a notice: the model's publisher recommends another value. The spec wins, as the plan shows; in the official "
        "walkthrough the model's defaults silently win.",
    ),
    "FF137": Code(
        "a parameter without effect",
        "The component accepts this input, but no step of it reads it. Delete it, so that nobody believes in it.",
    ),
    "FF140": Code(
        "the spec is not for this target",
        "`targets` in the spec lists where it may be applied. Name one of them, or extend the list.",
    ),
    "FF141": Code(
        "fine-tuning of the model was retired",
        "The service refuses new jobs after that date; models that are trained already stay usable. Choose another base "
        "model, or set `model.allow_retired` where you know better.",
    ),
    "FF142": Code(
        "the model is near its end",
        "The publisher has deprecated fine-tuning, or retired the model for inference. It works for now; plan the change of "
        "model.",
    ),
    "FF143": Code(
        "the model's metadata is unclear",
        "Part of the registry's metadata cannot be read or is missing, so fineforge cannot check what depends on it. The rest "
        "is checked.",
    ),
    "FF144": Code(
        "the model or component is not for this task",
        "Model metadata says which tasks a model can be fine-tuned for, and every task has its own training component.",
    ),
    "FF145": Code(
        "data of another type",
        "fineforge prepares a split as one file (uri_file). An input that wants a table or a folder takes a data asset of that "
        "type, named as the split's `source`.",
    ),
    "FF146": Code(
        "an unknown model",
        "The registry has no such model or version; without a network the dated snapshot of the catalog is asked. "
        "`model.version` is needed, for a newer version is another model.",
    ),
    "FF147": Code(
        "an unknown component",
        "The registry has no such training component or version. `component.version` is needed, for its defaults and inputs "
        "change from version to version.",
    ),
    "FF148": Code(
        "the model is archived",
        "The registry hides it from lists. It can still be used by name and version, until its retirement.",
    ),
    "FF149": Code(
        "an input or output of the component cannot be told",
        "The pipelines of the catalog are known. Of any other component the types and names of its inputs and outputs tell "
        "which takes the model, which takes each split, and which is the trained model; where they do not, "
        "`component.assets` says so.",
    ),
    "FF150": Code(
        "an unknown VM size",
        "The region, or without a network the dated snapshot, has no such size. `lifecycle.allow_unlisted` turns this into a "
        "warning for sizes that are newer than the snapshot.",
    ),
    "FF151": Code(
        "the VM size is retired",
        "Azure no longer offers it, although models and components may still list it. A date in the future is a warning.",
    ),
    "FF152": Code(
        "the VM size cannot be used for this",
        "Training clusters and managed online endpoints each take some sizes only.",
    ),
    "FF153": Code(
        "the VM size is not in the model's list",
        "The model's publisher lists the sizes that it was tested on. `lifecycle.allow_unlisted: true` turns this into a "
        "warning.",
    ),
    "FF154": Code(
        "the model carries no list of sizes",
        "Without a list only the sizes are refused that the official notebooks refuse too (four K80 sizes); anything else may "
        "be too small.",
    ),
    "FF155": Code(
        "more nodes than the cluster has",
        "A job waits for ever for nodes that a cluster may not have. Raise `compute.max_nodes` or lower `job.nodes`.",
    ),
    "FF156": Code(
        "the GPUs do not fit",
        "A node of this size has fewer GPUs than the job would use, or none; or, a warning, more than it would use.",
    ),
    "FF157": Code(
        "an unknown metric",
        "The training component is not known to log it; a gate on a metric that never comes cannot pass.",
    ),
    "FF158": Code(
        "an unknown name in `lifecycle`",
        "`prevent_destroy` takes kinds: compute, data, job, model, endpoint, deployment. `ignore` takes keys of the spec with "
        "their blocks, such as `deployment.instances` or `tags.owner`.",
    ),
    "FF160": Code(
        "the project file is wrong",
        "`fineforge.yaml` names the project, its targets and defaults; `config.json` is the workspace file that the Azure "
        "portal offers. One of them says something that cannot be.",
    ),
    "FF161": Code(
        "no workspace",
        "A target is an entry of `targets` in `fineforge.yaml`; without one, AZUREML_ARM_SUBSCRIPTION, "
        "AZUREML_ARM_RESOURCEGROUP and AZUREML_ARM_WORKSPACE_NAME count, then a `config.json`. The target `local` is the "
        "emulator.",
    ),
    "FF162": Code(
        "a key that belongs into the spec itself",
        "Defaults and overlays are partial specs. What says which spec it is (`version`, `name`), and overlays within defaults "
        "or within an overlay, cannot stand there.",
    ),
    "FF163": Code(
        "an overlay for an unknown target",
        "The keys of `overlays` are targets: those of the project file, and `local`. A misspelt one would silently do nothing.",
    ),
    "FF164": Code(
        "an unknown variable",
        "Variables are declared under `variables` in the project file `fineforge.yaml`; `--var`, files of variables and "
        "`${var.NAME}` can name no others.",
    ),
    "FF165": Code(
        "a variable without a value",
        "It has no default, and neither `--var`, nor a `--var-file`, nor the environment gives one.",
    ),
    "FF166": Code(
        "a variable's value of another type",
        "What is given must be of the type that the project file declares; within text, a reference must mean text, a number, "
        "true or false.",
    ),
    "FF167": Code(
        "a variable that refers to itself",
        "A default may refer to other variables, but not in a circle.",
    ),
    "FF168": Code(
        "an environment variable that is not set",
        "`${env.NAME}` needs it; `${env.NAME:-DEFAULT}` has a value for when it is not set, or empty.",
    ),
    "FF169": Code(
        "not a reference",
        "In the values of a spec, `${` begins `${var.NAME}` or `${env.NAME}`. Write `$${` where you mean these two characters.",
    ),
    "FF170": Code(
        "the lock file cannot be used",
        "It is damaged, or of a newer fineforge. Restore it from git; or delete it, and `fineforge lock` writes it anew, with "
        "what is the latest today.",
    ),
    "FF171": Code(
        "upstream has moved",
        "A newer version exists than the pinned one, or a registry has edited what a version says of itself. A note, nothing "
        "else: a plan keeps to the pins, and trains nothing again, until `fineforge lock --upgrade` moves them.",
    ),
    "FF172": Code(
        "specs of several projects",
        "Every project has one lock file, beside its `fineforge.yaml`; so one `lock` is about the specs of one project.",
    ),
    "FF173": Code(
        "a secret in a spec",
        "What a spec says is shown in plans and written into tags, so an environment variable whose name says that it is a "
        "secret is not read. Let the workspace's key vault or an identity give it to what runs.",
    ),
    "FF180": Code(
        "a link that leads nowhere",
        "A folder of specs holds a symbolic link to a file that is not there. The other specs are planned all the same; `apply "
        "--prune` refuses until it is mended.",
    ),
    "FF181": Code(
        "no spec is there",
        "Every .yaml file below a folder is a spec, but for hidden ones, those of fineforge itself, and what `.fineforgeignore` "
        "leaves out. Nothing is left.",
    ),
    "FF182": Code(
        "git cannot tell what changed",
        "`--select changed-since:REF` compares with the point where the branch left REF. The folder is no repository, git is not "
        "there, or the clone is too shallow to hold that commit.",
    ),
    "FF183": Code(
        "two specs want one name",
        "Within a project each spec has a name of its own, and no two train one model name or own one endpoint. The message "
        "names the other place.",
    ),
    "FF184": Code(
        "two specs want one cluster to be different",
        "Several specs may use one cluster, if they say the same of it: it is made once, and deleted after the last of them. "
        "Write the same in both, or let one say `existing: true`.",
    ),
    "FF185": Code(
        "a spec waits for another one, which is held back",
        "Several specs of one apply share a cluster, and the one that writes to it first was not begun: its data is bad, or "
        "somebody else applies it. What the others would do was planned to come after it, so they are not begun either. Specs "
        "that share nothing with it go on.",
    ),
    "FF190": Code(
        "it cannot be adopted",
        "`adopt` writes a spec's owner tags on a cluster, an endpoint or a deployment that exists and that nobody owns. Assets "
        "and jobs have names that stand for their content, and are made, not adopted.",
    ),
    "FF191": Code(
        "nothing carries that name",
        "`destroy --name` finds objects by their owner tags: project and spec. The project's name is that of the "
        "`fineforge.yaml` above the working directory, or without one the spec's own.",
    ),
    "FF192": Code(
        "pruning is refused",
        "`apply --prune` takes away what carries this project's tags and no spec wants. That is decided only where every spec of "
        "the project was read: no selection, no spec that is wrong, no shallow clone; and where `--allow-delete` says that it is "
        "meant.",
    ),
    # --- FF2xx: templates and rendering ----------------------------------------------------------------------------
    "FF201": Code(
        "a template cannot be rendered",
        "Jinja refused the template: a syntax error, a name that is not given to it, or something that the sandbox forbids. "
        "Templates compute nothing but text; `fineforge render` shows what comes out of each.",
    ),
    "FF202": Code(
        "a template does not give YAML",
        "What the template wrote cannot be read as YAML. Write every value as `{{ name|tojson }}`: it is quoted where it "
        "must be.",
    ),
    "FF203": Code(
        "a template does not give a mapping",
        "Each template writes one document of keys and values, as `az ml ... create --file` takes it.",
    ),
    "FF204": Code(
        "a template renames its object",
        "Name, version and endpoint follow from the spec, and fineforge finds its objects by them. A template may add keys, "
        "but these it must leave as they are given to it.",
    ),
    "FF205": Code(
        "a template changes what a name stands for",
        "The names of jobs, versions and deployments stand for the values in the spec, so a template that sets others would let "
        "two different objects share one name. Set the value in the spec, a job's inputs under `training` or `optimization`.",
    ),
    "FF206": Code(
        "a template drops the owner tags",
        "Every object carries tags that say which spec owns it; without them fineforge would not know its own objects again. "
        "Keep `tags: {{ tags|tojson }}` in the template, or add to what it writes.",
    ),
    # --- FF3xx: planning and policy --------------------------------------------------------------------------------
    "FF301": Code(
        "what should exist does not",
        "`existing: true` says that somebody else looks after the object, so fineforge does not create it. Create it yourself, "
        "correct the name, or take `existing` out.",
    ),
    "FF302": Code(
        "an object is not what the spec says, and cannot be changed",
        "It belongs to somebody else, or another spec uses it too, so fineforge neither updates nor replaces it. Write in the "
        "spec what it is, or choose another name.",
    ),
    "FF303": Code(
        "a name is taken",
        "An object of that name exists and is not this spec's. fineforge changes only what carries its own tags. Choose another "
        "name.",
    ),
    "FF304": Code(
        "a version exists with another content",
        "Versions of data and models never change, and this one was made from something else. Rename the spec or the asset, so "
        "that a new version is made.",
    ),
    "FF305": Code(
        "the job failed, or was cancelled",
        "The message holds the service's own words. A job that failed is not submitted again by itself: mend the cause, then "
        "`fineforge apply --retry-failed`, or set `job.retries`.",
    ),
    "FF306": Code(
        "a deletion is forbidden",
        "`lifecycle.prevent_destroy` names the kind of an object that this plan would delete or replace. Take it out if the "
        "deletion is meant.",
    ),
    "FF307": Code(
        "a metric gate refuses",
        "The finished run misses a bound of `gates.metrics`, so its model is not registered; everything else stays as it was. "
        "Train again with other parameters, or move the bound.",
    ),
    "FF308": Code(
        "somebody else's deployment has live traffic",
        "Moving traffic would take it from a deployment that this spec does not know. Move that traffic yourself, or use another "
        "endpoint.",
    ),
    "FF309": Code(
        "the plan is not sound",
        "A plan must be complete in itself: unique steps without a cycle, each with all it writes and expects. A plan file that "
        "was edited by hand, or a mistake in fineforge; plan again.",
    ),
    "FF320": Code(
        "a policy refuses",
        "A rule of the project says that this plan must not be applied; the hint names the rule and where it stands. Change the "
        "spec, or let whoever owns the rule name the spec under its `except`.",
    ),
    "FF321": Code(
        "a policy warns",
        "A rule of the project wants somebody to know this; the plan can be applied.",
    ),
    "FF322": Code(
        "a rule cannot be used",
        "An expression that is not CEL or asks for what no rule sees, a shipped rule that does not exist or lacks its values, "
        "two rules of one name. Nothing is applied until it is mended, since nobody knows what the rule would have said.",
    ),
    "FF323": Code(
        "a rule fails",
        "It was asked about a plan and gave no answer, mostly for want of a key that not every spec has: `has(spec.deployment) "
        "&& ...`. Nothing is applied until it is mended; `fineforge policy test` tries rules without a workspace.",
    ),
    "FF324": Code(
        "a case of a policy cannot be run",
        "Its spec or plan is not there or is none, or there is no case at all. Paths start at the folder of the case's file; a "
        "plan is what `fineforge plan --json` writes.",
    ),
    # --- FF4xx: Azure ----------------------------------------------------------------------------------------------
    "FF400": Code(
        "Azure refused",
        "The service's own words are in the message; fineforge has no better advice. Nothing else was changed by the step "
        "that failed.",
    ),
    "FF401": Code(
        "there are no credentials",
        "No way to sign in is set up; the message says what was tried. `az login` is the simplest; in GitHub Actions give "
        "the workflow `id-token: write` and set AZURE_CLIENT_ID and AZURE_TENANT_ID.",
    ),
    "FF402": Code(
        "the sign-in was refused",
        "Credentials were found, and Azure, or the endpoint, does not take them: expired, revoked, or of another tenant.",
    ),
    "FF403": Code(
        "a permission is missing",
        "You are signed in, but your role does not allow this action; the hint names it. docs/rbac.md lists what each "
        "command needs.",
    ),
    "FF404": Code(
        "it does not exist",
        "Azure knows no object of this name, or an endpoint has no deployment that takes the request.",
    ),
    "FF405": Code(
        "the workspace is not there",
        "Subscription, resource group or workspace of the target is misspelt, deleted, or not visible to you.",
    ),
    "FF406": Code(
        "Azure throttles",
        "Too many requests, from you or from others in the subscription. fineforge has waited and asked again already; later"
        " it will go on from what exists.",
    ),
    "FF407": Code(
        "Azure failed",
        "An error of the service, after several tries. What is done stays done: run the same command again.",
    ),
    "FF408": Code(
        "the emulator does not do this",
        "The local emulator answers what it does not know with 501, so that nobody mistakes silence for support.",
    ),
    "FF409": Code(
        "Azure cannot be reached",
        "No connection: network, proxy, certificate, or the emulator has stopped.",
    ),
    "FF410": Code(
        "there is not enough quota",
        "The subscription may not use that many cores of the VM family. Deployments reserve 20 % on top for most sizes, "
        "rounded up to whole machines.",
    ),
    "FF411": Code(
        "the region does not offer the size",
        "The size is unknown here, or the subscription has no quota entry for its family at all.",
    ),
    "FF412": Code(
        "the endpoint's name is taken",
        "Endpoint names are unique in a region, among all customers. Set `endpoint.name`.",
    ),
    "FF413": Code(
        "it failed when it was first made",
        "Azure cannot update such an object; the next plan deletes and creates it.",
    ),
    "FF414": Code(
        "something else is being done to it",
        "Azure does one operation at a time on an object. Wait until the other one is over.",
    ),
    "FF415": Code(
        "the name exists with other content",
        "Versions and job names are never used again for something else. Somebody made this one outside fineforge, or with "
        "another version of it.",
    ),
    "FF416": Code(
        "provisioning failed",
        "Azure accepted the object and could not bring it up: the image, the container, the model's files or the network. "
        "The message holds its words.",
    ),
    "FF417": Code(
        "the upload failed",
        "The storage account of the workspace did not take the prepared data. Nothing was created from it.",
    ),
    "FF418": Code(
        "azure-ai-ml refuses the YAML",
        "The rendered object is not what the SDK accepts; mostly a template of your own is at fault. `fineforge render` "
        "shows it.",
    ),
    "FF419": Code(
        "the endpoint answered with an error",
        "The request reached the deployment, and the model server failed or took too long.",
    ),
    "FF420": Code(
        "the log cannot be read yet",
        "The service tells nothing of a deployment that is being created, updated or deleted. Wait until that is over.",
    ),
    "FF421": Code(
        "there is no such job",
        "The workspace has no job of the spec as it is now: it was not applied yet, or something that decides the result was "
        "changed since. `fineforge plan` says what would be submitted.",
    ),
    "FF422": Code(
        "there is nothing of that name to import",
        "`import` takes the name of a job, `endpoint/NAME`, or `deployment/ENDPOINT/NAME`, of the workspace that the target "
        "stands for.",
    ),
    "FF423": Code(
        "no spec can say what this is",
        "A spec trains by one pipeline of a registry from one of its models, or deploys a registered model. What is made in "
        "another way cannot be imported.",
    ),
    "FF424": Code(
        "the answer is not what was asked for",
        "The service, or something in front of it, answered with a page, a cut or empty text, or JSON of another form; or the "
        "answer had no end. This never counts as absence: nothing is deleted or created because of it. The message names host "
        "and path. Check the proxy and the network, then run the same command again.",
    ),
    # --- FF5xx: apply ----------------------------------------------------------------------------------------------
    "FF500": Code(
        "a step failed in an unexpected way",
        "Neither Azure's refusal nor a known case; the message names the error. Please report it, and run the same command "
        "again.",
    ),
    "FF501": Code(
        "the world has moved",
        "An object was changed between the plan and its step, so the step was not done. Plan again, and look at what changed.",
    ),
    "FF502": Code(
        "it disappeared",
        "An object was deleted while fineforge waited for it.",
    ),
    "FF503": Code(
        "it failed",
        "Azure ended the job, or the provisioning of the object, as failed; the message holds its words.",
    ),
    "FF504": Code(
        "the job was cancelled",
        "Somebody, or a newer version of the spec, stopped it. A cancelled job is submitted again only when you ask for it.",
    ),
    "FF505": Code(
        "the job left no model",
        "The job completed, and the output that would be registered holds no byte; Azure would register it all the same. "
        "The job's log says why nothing was written.",
    ),
    "FF510": Code(
        "a metric gate refused",
        "The run's metric is outside of what `gates.metrics` allows, so the model is not registered; everything else is as "
        "it was.",
    ),
    "FF511": Code(
        "a smoke gate refused",
        "The new deployment's answer is not what `gates.smoke` expects, so no traffic moves; everything else is as it was.",
    ),
    "FF521": Code(
        "the saved plan cannot be used",
        "The file is damaged, no plan at all, or of another format than this version of fineforge reads. Plan again.",
    ),
    "FF522": Code(
        "the saved plan is for another workspace",
        "The target leads elsewhere by now. A plan is applied where it was made for, or not at all.",
    ),
    "FF523": Code(
        "the spec has changed since the plan",
        "What was reviewed is no longer what the spec, its layers, variables or lock file say. A saved plan is applied exactly "
        "as it was made, or not at all: plan again.",
    ),
    "FF530": Code(
        "another apply is under way",
        "Somebody is applying or destroying the same spec at the same target, and holds its apply lease; the message says who, "
        "since when and from where. `--lock-timeout 5m` waits. A holder that died loses it within a minute. `fineforge lease "
        "release` ends it by hand: only where you know that nobody works any more.",
    ),
    "FF531": Code(
        "the apply lease was lost",
        "Somebody ended the lease by hand, or the storage was out of reach for too long, so that another apply may have begun. "
        "No further step was started; what ran was waited for. Run the same command again.",
    ),
    "FF532": Code(
        "the apply lease cannot be had",
        "It lies in the workspace's default datastore. The identity needs the role Storage Blob Data Contributor there, or the "
        "right to list the datastore's secrets, and a network that the account's firewall lets in. `--lock=false` does without.",
    ),
    "FF533": Code(
        "nobody confirmed the release",
        "Ending a lease that somebody holds lets a second apply write beside the first. There is no terminal to ask on; "
        "`--force` says that you mean it.",
    ),
    # --- FF6xx: data -----------------------------------------------------------------------------------------------
    "FF601": Code(
        "the data is not there",
        "The file, folder or source split that `dataset` names does not exist. Paths are relative to the spec's folder; a"
        " folder holds one `<name>.jsonl` per source split, and `from` defaults to the split's own name.",
    ),
    "FF602": Code(
        "a path leads out of the project",
        "Files are read from below the project's folder only, links followed, so that a spec from somebody else cannot "
        "send your files to a workspace. Move the data, or put the `fineforge.yaml` of the project higher up.",
    ),
    "FF603": Code(
        "the data cannot be read",
        "The operating system refused to read the file; the message holds its words. Check its permissions, and that it "
        "is a plain file.",
    ),
    "FF604": Code(
        "a split has no rows",
        "The file is empty, or the percentage of its rows, rounded half to even as the `datasets` library rounds, is "
        "none. Raise `percent`, or ask for `rows`.",
    ),
    "FF605": Code(
        "the prepared data cannot be written",
        "Prepared rows are written to a cache before they are uploaded; the disk is full or the folder is not yours. "
        "Nothing was created, and no half file is left: make room and run the command again.",
    ),
    "FF606": Code(
        "the data changed meanwhile",
        "A file is no longer what it was when the plan was made, so what would be uploaded is not what was planned. Wait "
        "until it is complete, and plan again.",
    ),
    "FF607": Code(
        "there are fewer rows than were asked for",
        "`rows` names more rows than the source split has. All of them are used; lower the number to silence this.",
    ),
    "FF608": Code(
        "a row is not UTF-8",
        "Training reads UTF-8 only. Save the file in that encoding; the message names the first byte that is wrong.",
    ),
    "FF609": Code(
        "a row is not JSON",
        "Each line of a .jsonl file is one complete JSON object. A file that is one large list, or indented JSON, must be"
        " rewritten with one object a line.",
    ),
    "FF610": Code(
        "a row is too long",
        "A line is longer than 16 MiB. Most often the file is not JSON Lines at all, but one JSON document without line breaks.",
    ),
    "FF611": Code(
        "a row has no messages",
        "Each row is an object with `messages`: a list of objects with the texts `role` and `content`. Other keys are "
        "kept and ignored.",
    ),
    "FF612": Code(
        "the roles of a row are not a conversation",
        "A `system` message may come first; then `user` and `assistant` take turns, and the assistant has the last word, "
        "since only its turns are trained on. Mend the rows, or leave them out: `filter: messages[size(messages) - 1].role == "
        '"assistant"` keeps those that end with an answer. In `test`, which nothing trains on, rows that end with the user\'s '
        "turn are a warning: they may stay, but their last turn has no answer to measure.",
    ),
    "FF613": Code(
        "a message is empty",
        "A message of spaces only teaches the model to say nothing. Fill it, or leave such rows out: `filter: "
        'messages.all(m, m.content.matches("\\\\S"))` keeps the others.',
    ),
    "FF614": Code(
        "a message holds half a character",
        "JSON can spell one half of a surrogate pair (such as `\\ud83d`), which is no character and which no tokenizer "
        "takes. It mostly comes from a text cut in the middle of an emoji.",
    ),
    "FF615": Code(
        "a prompt stands twice",
        "Two rows of one split begin with the same user message. The model cannot give both answers; keep one unless you "
        "mean it.",
    ),
    "FF616": Code(
        "a prompt stands in two splits",
        "Rows of validation or test begin with a user message that is trained on too, so what is measured on them is "
        "memory. Take them out of one of the two.",
    ),
    "FF617": Code(
        "a conversation is longer than the model's context",
        "Estimated at four characters a token, it does not fit the context and its end would be cut off. Shorten it, or "
        "choose a model with a longer context.",
    ),
    "FF618": Code(
        "a source is not pinned",
        "What `hf://` and `https://` name may change from one day to the next, so the lock file says which commit, ETag or "
        "SHA-256 is meant. `fineforge lock` writes it; commit it. `hf://owner/name@<40 digits>` needs no pin.",
    ),
    "FF619": Code(
        "a dataset, revision or file is not there",
        "The server does not know it: the name is wrong, it was deleted, or it is private and no token was sent. "
        "`fineforge lock --upgrade` pins what is there now.",
    ),
    "FF620": Code(
        "a dataset refuses access",
        "It is gated, or the token may not read it. Accept the dataset's terms on its page, and set HF_TOKEN to a token of "
        "that account.",
    ),
    "FF621": Code(
        "a dataset has no such configuration or split",
        "`dataset.config` names a configuration of a hub dataset, `from` a split in it; the hint lists what there is. `from` "
        "defaults to the split's own name.",
    ),
    "FF622": Code(
        "a source cannot be fetched",
        "The server asked to wait, failed, or broke off again and again. Nothing half-written is used; what has arrived stays "
        "in the cache, so that the next run goes on from there.",
    ),
    "FF623": Code(
        "a filter is not understood",
        "`filter` is an expression in CEL over the columns of a row, as in `size(messages) > 2`. The message names the place "
        "in it. Loops may stand two deep in each other, not more.",
    ),
    "FF624": Code(
        "a filter fails on a row",
        "The expression could not be computed for the row, or did not give true or false: a column is missing, or values of "
        "different types meet. `has(column.key)` asks whether a key is there.",
    ),
    "FF625": Code(
        "a row lacks a column",
        "The task, or `columns` in the spec, needs a column that the row does not have, or that is empty. Check the spelling "
        "against the columns that the hint names.",
    ),
    "FF626": Code(
        "a source is of a kind that is not known",
        "Sources are paths of .jsonl, .json, .csv, .tsv and .parquet files, folders and patterns of them, "
        "`hf://owner/name[@revision]`, public `https://` addresses of such files, and `azureml:NAME:VERSION`.",
    ),
    "FF627": Code(
        "a data file is damaged",
        "It cannot be read as its format: cut off, overwritten, or something else under that name. The message holds the "
        "reader's words. Nothing damaged is kept in the cache.",
    ),
    "FF628": Code(
        "rows cannot be written as JSON",
        "A column holds bytes, such as images or sound, for which JSON has no form. Train on other columns: name them with "
        "`columns`.",
    ),
    "FF629": Code(
        "a data asset is used as it is",
        "`azureml:NAME:VERSION` is data that the workspace has already. `percent`, `rows`, `sample`, `filter`, `columns` and "
        "`holdout` cannot change it; name the data it was made of to prepare it anew.",
    ),
    "FF630": Code(
        "the size of the cache is no number",
        "FINEFORGE_CACHE_GIB is how many GiB the data cache may hold, 20 if it is not set. Files that were not used for "
        "longest go first.",
    ),
    # --- FF7xx: the emulator ---------------------------------------------------------------------------------------
    "FF701": Code(
        "the local emulator is not running",
        "The target `local` is an emulator of Azure ML, a process on this machine. Start it with `fineforge emulator start`; "
        "what it held before is still there.",
    ),
    "FF702": Code(
        "the emulator's port cannot be used",
        "Another program listens on it, or it is one that only an administrator may open. Leave `--port` out: any free one will "
        "do, clients find it.",
    ),
    "FF703": Code(
        "the emulator did not start",
        "The message holds its last words; `fineforge emulator logs` shows the others. Often its folder cannot be written: "
        "FINEFORGE_EMULATOR_HOME names another one.",
    ),
    "FF704": Code(
        "the emulator's packages are missing",
        "The client does not need them, so they are installed apart: `pip install 'fineforge[local]'`.",
    ),
    "FF705": Code(
        "the command cannot be run",
        "`emulator exec -- COMMAND` runs one program with its Azure traffic led to the emulator. The program was not found, or "
        "may not be run; a shell's own words need `sh -c '...'`.",
    ),
    "FF706": Code(
        "the emulator runs already",
        "Two emulators cannot share one folder. One runs there with another port or trainer than was asked for, is starting or "
        "ending, or has lost its `emulator.json`: wait, end it, or let FINEFORGE_EMULATOR_HOME name another folder.",
    ),
}
