import hashlib
from tests import factories
from tests.web import large_graph, installation
from tests.web.conftest import PASSWORD, sign_in
from lineage.db.models import Node
D="/tmp/w/shots/"
def shots(browser, url, pages, themes=("light","dark")):
    email=factories.user("auditor", PASSWORD).email
    for theme in themes:
        ctx=browser.new_context(viewport={"width":1440,"height":900},color_scheme=theme)
        page=ctx.new_page()
        sign_in(page,url,email)
        for name,path in pages:
            page.goto(url+path); page.wait_for_timeout(200)
            page.screenshot(path=f"{D}{name}-{theme}.png",full_page=name.startswith("full"))
        ctx.close()
def test_more(live_server, browser, graph):
    first, second = factories.registered(name="pipeline one"), factories.registered(name="pipeline two")
    made = factories.artifact("contested.bin")
    made["digest"]["sha512"]="ab"*64
    made["digest"]["gitCommit"]="cd"*20
    installation.send(first, factories.provenance([made], [factories.artifact("in.csv")], invocation="run-one"))
    installation.send(second, factories.provenance([made], invocation="run-two"))
    files={"a/model.safetensors":factories.sha256("a"),"config.json":factories.sha256("b")}
    lines="".join(f"{files[k]}  {k}\n" for k in sorted(files))
    dh=hashlib.sha256(lines.encode()).hexdigest()
    folder={"name":"my-model","digest":{"dirHash":dh},"annotations":{"files":files,"role":"model"}}
    installation.send(first, factories.provenance([folder],[made],invocation="run-three"))
    graph()
    c=f"sha256:{factories.sha256('contested.bin')}"
    shots(browser, live_server.url,[("full-contested",f"/artifacts/{c}"),("full-folder",f"/artifacts/dirHash:{dh}"),("file",f"/artifacts/sha256:{files['config.json']}"),("folder-lineage",f"/models/dirHash:{dh}/lineage?focus={c}")],("light",))
def test_hw(live_server, transactional_db, browser):
    large=large_graph.save(2000)
    hw=Node.objects.filter(kind="hardware").first().key
    sup=Node.objects.filter(kind="supplier").first().key
    shots(browser, live_server.url,[("hw-lineage",f"/models/{hw}/lineage?direction=descendants"),("sup-lineage",f"/models/{sup}/lineage?direction=descendants")],("light",))
