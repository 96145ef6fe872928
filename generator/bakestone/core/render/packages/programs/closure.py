import json, os, sys
import dnf


def exactly(base, name, wanted):
    found = base.sack.query().filter(name=name)
    there = {"%s:%s-%s" % (p.epoch, p.version, p.release) for p in found}
    for version in there:
        if wanted in (version, version.partition(":")[2]):
            return name + "-" + version
    if there:
        sys.stderr.write("bakestone: versions of %s: %s\n" % (name, " ".join(sorted(there))))
    raise dnf.exceptions.MarkingError(name)


def closure(base, names):
    base.reset(goal=True)
    unknown = []
    for name in names:
        try:
            package, exact, version = name.partition("=")
            base.install(exactly(base, package, version) if exact else name)
        except dnf.exceptions.MarkingError:
            unknown.append("bakestone: no package " + name)
    if unknown:
        sys.exit("\n".join(unknown))
    base.resolve()
    return base.transaction.install_set if base.transaction else ()


base = dnf.Base()
base.conf.read()
base.conf.substitutions.update_from_etc("/")
base.conf.releasever = base.conf.releasever or ""
base.conf.install_weak_deps = False
base.conf.skip_if_unavailable = False
if os.path.exists("/run/secrets/ca"):
    base.conf.sslcacert = "/run/secrets/ca"
if os.path.isdir("/tmp/repositories"):
    base.conf.reposdir = ["/tmp/repositories"]
try:
    base.read_all_repos()
    base.fill_sack()
    for number, names in enumerate(json.loads(sys.argv[1])):
        with open("/out/%d" % number, "w") as out:
            for p in sorted(closure(base, names)):
                out.write("%s.%s %s:%s-%s\n" % (p.name, p.arch, p.epoch, p.version, p.release))
    # begin of the updates
    base.reset(goal=True)
    base.upgrade_all()
    base.resolve()
    before = {(p.name, p.arch): p for p in base.sack.query().installed()}
    line = lambda p: "%s:%s-%s" % (p.epoch, p.version, p.release)
    with open("/out/upgrades", "w") as out:
        for p in sorted(base.transaction.install_set if base.transaction else ()):
            if (p.name, p.arch) in before:
                out.write("%s.%s %s %s\n" % (p.name, p.arch, line(before[p.name, p.arch]), line(p)))
    with open("/out/security", "w") as out:
        for p in sorted(base.sack.query().available().filter(advisory_type="security")):
            out.write("%s.%s %s\n" % (p.name, p.arch, line(p)))
    # end of the updates
except dnf.exceptions.Error as problem:
    sys.exit("bakestone: dnf: " + " ".join(str(problem).split()))
