import pytest
from tests import factories
from tests.web import large_graph, installation
from tests.web.conftest import PASSWORD, sign_in
D="/tmp/w/shots/"
def shots(browser, url, pages):
    email=factories.user("auditor", PASSWORD).email
    for theme in ("light","dark"):
        ctx=browser.new_context(viewport={"width":1440,"height":900},color_scheme=theme)
        page=ctx.new_page()
        sign_in(page,url,email)
        for name,path in pages:
            page.goto(url+path); page.wait_for_timeout(200)
            page.screenshot(path=f"{D}{name}-{theme}.png")
            if theme=="light": page.screenshot(path=f"{D}{name}-full.png",full_page=True)
        ctx.close()
def test_large(live_server, transactional_db, browser):
    large=large_graph.save(2000)
    far=sorted(k for k in large.ancestors if large.nodes[k].name.startswith("source"))[3]
    shots(browser, live_server.url, [("lineage-2000",f"/models/{large.root}/lineage"),("lineage-2000-focus",f"/models/{large.root}/lineage?focus={far}"),("wall-2000",f"/models/{large.root}/lineage/all"),("lineage-2000-lane",f"/models/{large.root}/lineage?lane=source-data&show=exceptions")])
def test_small(live_server, browser, installed):
    from lineage.graph.model import run_key, deployment_key, hardware_key
    from lineage.db.models import Node
    M=f"sha256:{installation.TRIAGE}"
    run=Node.objects.filter(kind="run").first().key
    dep=Node.objects.filter(kind="deployment").first().key
    hw=Node.objects.filter(kind="hardware").first().key
    uri=Node.objects.filter(key__startswith="uri:").first().key
    scraped="sha256:"+factories.sha256("scraped-forum.jsonl")
    shots(browser, live_server.url, [("lineage-small",f"/models/{M}/lineage"),("lineage-small-into",f"/models/sha256:{installation.CLAIMS}/lineage?direction=descendants"),("artifact",f"/artifacts/{M}"),("artifact-failed",f"/artifacts/sha256:{installation.GLOSSARY}"),("artifact-revoked",f"/artifacts/{scraped}"),("run",f"/runs/{run}"),("deployment",f"/nodes/{dep}"),("hardware",f"/nodes/{hw}"),("gap",f"/artifacts/{uri}"),("attestation",f"/attestations/{installed.sealed}"),("lineage-empty",f"/models/{scraped}/lineage")])
