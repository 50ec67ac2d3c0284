-- What a database holds, as facts: a name, and everything that must be equal in two databases that have this fact.
--
-- Locks: none.
-- Outcomes: rows of fact text, value text; a fact appears once. The value of "body of ..." is source text; its comments and
-- whitespace are for the caller to ignore.
WITH relations AS (
    SELECT *
    FROM pg_class
    -- The runner's own table is not ours to describe.
    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'refinery\_schema\_history%'
), functions AS (
    SELECT *, format('%s(%s)', proname, pg_get_function_identity_arguments(oid)) AS identity
    FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
), roles AS (
    -- 10 is the server's own superuser.
    SELECT * FROM pg_roles WHERE rolname NOT LIKE 'pg\_%' AND oid <> 10
), privileges AS (
    SELECT 'schema public' AS target, coalesce(nspacl, acldefault('n', nspowner)) AS acl
    FROM pg_namespace
    WHERE nspname = 'public'
    UNION ALL
    SELECT 'database', coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT format('relation %s', relname),
        coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
    FROM relations
    WHERE relkind NOT IN ('i', 'I', 'c')
    UNION ALL
    SELECT format('column %s.%s', relname, attname), attacl
    FROM relations
    JOIN pg_attribute ON attrelid = relations.oid
    UNION ALL
    SELECT format('function %s', identity), coalesce(proacl, acldefault('f', proowner)) FROM functions
    UNION ALL
    -- What new objects of this kind get.
    SELECT format('new objects of kind %s%s', defaclobjtype, ' in schema ' || nspname), defaclacl
    FROM pg_default_acl
    LEFT JOIN pg_namespace ON pg_namespace.oid = defaclnamespace
)
-- Tables, indexes, views and whatever else pg_class has. Storage parameters are a set: their order says nothing.
SELECT
    CASE relkind WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'relation' END
        || ' ' || relname AS fact,
    concat_ws('; ',
        CASE relkind WHEN 'i' THEN pg_get_indexdef(relations.oid) WHEN 'I' THEN pg_get_indexdef(relations.oid)
            WHEN 'v' THEN pg_get_viewdef(relations.oid) WHEN 'm' THEN pg_get_viewdef(relations.oid) END,
        'kind ' || relkind::text, 'owner ' || relowner::regrole::text, 'persistence ' || relpersistence::text,
        CASE WHEN relrowsecurity OR relforcerowsecurity THEN 'row security' END,
        'replica identity ' || relreplident::text,
        'method ' || (SELECT amname FROM pg_am WHERE pg_am.oid = relam),
        CASE WHEN NOT indisvalid THEN 'invalid' END, CASE WHEN indisclustered THEN 'clustered' END,
        'with ' || (SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(reloptions) AS option)) AS value
FROM relations
LEFT JOIN pg_index ON indexrelid = relations.oid
UNION ALL
SELECT
    format('column %s.%s', relname, attname),
    concat_ws('; ',
        format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
        'default ' || pg_get_expr(adbin, adrelid),
        'identity ' || nullif(attidentity::text, ''), 'generated ' || nullif(attgenerated::text, ''),
        'collation ' || CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text END,
        'storage ' || attstorage::text, 'compression ' || nullif(attcompression::text, ''),
        'statistics ' || nullif(attstattarget, -1)::text, 'with ' || attoptions::text,
        'number ' || row_number() OVER (PARTITION BY attrelid ORDER BY attnum))
FROM relations
JOIN pg_attribute ON attrelid = relations.oid AND attnum > 0 AND NOT attisdropped
JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind NOT IN ('i', 'I', 'S')
UNION ALL
SELECT
    format('constraint %s.%s', relname, conname),
    concat_ws('; ', pg_get_constraintdef(pg_constraint.oid), CASE WHEN NOT convalidated THEN 'not validated' END)
FROM relations
JOIN pg_constraint ON conrelid = relations.oid
UNION ALL
SELECT
    format('trigger %s.%s', relname, tgname),
    concat_ws('; ', pg_get_triggerdef(pg_trigger.oid), CASE WHEN tgenabled <> 'O' THEN 'fires ' || tgenabled::text END)
FROM relations
JOIN pg_trigger ON tgrelid = relations.oid
WHERE NOT tgisinternal
UNION ALL
SELECT format('rule %s.%s', relname, rulename), pg_get_ruledef(pg_rewrite.oid)
FROM relations
JOIN pg_rewrite ON ev_class = relations.oid
WHERE rulename <> '_RETURN'
UNION ALL
SELECT
    format('policy %s.%s', relname, polname),
    concat_ws('; ', polcmd::text, polpermissive::text, polroles::regrole[]::text, pg_get_expr(polqual, polrelid),
        pg_get_expr(polwithcheck, polrelid))
FROM relations
JOIN pg_policy ON polrelid = relations.oid
UNION ALL
SELECT
    format('values of sequence %s', relname),
    format('%s from %s by %s within %s to %s, cache %s%s', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache,
        CASE WHEN seqcycle THEN ', cycles' END)
FROM relations
JOIN pg_sequence ON seqrelid = relations.oid
UNION ALL
SELECT
    format('function %s', identity),
    concat_ws('; ',
        'kind ' || prokind::text, '(' || pg_get_function_arguments(functions.oid) || ')',
        'returns ' || pg_get_function_result(functions.oid), 'owner ' || proowner::regrole::text, 'language ' || lanname,
        'volatility ' || provolatile::text, 'parallel ' || proparallel::text,
        'cost ' || procost, 'rows ' || prorows, 'support ' || nullif(prosupport::oid, 0)::regproc::text,
        CASE WHEN proisstrict THEN 'strict' END, CASE WHEN prosecdef THEN 'security definer' END,
        CASE WHEN proleakproof THEN 'leakproof' END, 'set ' || proconfig::text)
FROM functions
JOIN pg_language ON pg_language.oid = prolang
UNION ALL
SELECT format('body of function %s', identity), coalesce(pg_get_function_sqlbody(oid), prosrc) FROM functions
UNION ALL
SELECT
    format('privileges on %s of %s', target, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END),
    string_agg(privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', ' ORDER BY privilege_type)
FROM privileges
CROSS JOIN LATERAL aclexplode(acl)
GROUP BY target, grantee
UNION ALL
SELECT
    format('role %s', rolname),
    concat_ws('; ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolinherit THEN 'inherits' END,
        CASE WHEN rolcreaterole THEN 'creates roles' END, CASE WHEN rolcreatedb THEN 'creates databases' END,
        CASE WHEN rolcanlogin THEN 'logs in' END, CASE WHEN rolreplication THEN 'replicates' END,
        CASE WHEN rolbypassrls THEN 'bypasses row security' END, 'connections ' || rolconnlimit,
        'member of ' || (
            SELECT string_agg(roleid::regrole::text, ', ' ORDER BY roleid::regrole::text)
            FROM pg_auth_members
            WHERE member = roles.oid))
FROM roles
UNION ALL
SELECT
    format('setting %s of role %s%s', split_part(setting, '=', 1), coalesce(rolname, 'ALL'),
        CASE WHEN setdatabase <> 0 THEN ' in this database' END),
    substr(setting, strpos(setting, '=') + 1)
FROM pg_db_role_setting
LEFT JOIN roles ON roles.oid = setrole
CROSS JOIN LATERAL unnest(setconfig) AS setting
WHERE (setrole = 0 OR rolname IS NOT NULL)
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
-- Whatever else is in the schema, by its name alone: types, operators, statistics, ...
SELECT DISTINCT format('%s %s', object.type, object.identity), ''
FROM pg_depend
CROSS JOIN LATERAL pg_identify_object(classid, objid, 0) AS object
WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'public'::regnamespace
    AND classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass)
    AND object.identity NOT LIKE '%refinery\_schema\_history%'
UNION ALL
SELECT format('extension %s', extname), extversion FROM pg_extension
UNION ALL
SELECT format('event trigger %s', evtname), evtevent FROM pg_event_trigger
UNION ALL
SELECT format('publication %s', pubname), '' FROM pg_publication
UNION ALL
SELECT format('schema %s', nspname), nspowner::regrole::text
FROM pg_namespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
