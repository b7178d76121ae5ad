-- The whole schema as text, one row per object, for comparing two databases: independent of the order in
-- which objects were made and grants were given. Leaves out what belongs to PostgreSQL, to the platform,
-- to an extension, or to the Supabase CLI, which keeps its list of migrations in a schema of its own.
-- Runs with an empty search_path, so that every name comes out in full.
with namespaces as (
  select n.* from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_'
    and n.nspname not in ('information_schema', 'auth', 'extensions', 'supabase_migrations')
),
relations as (
  select c.*, format('%I.%I', n.nspname, c.relname) as name
  from pg_catalog.pg_class c
  join namespaces n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
),
functions as (
  select p.*, p.oid::regprocedure::text as name
  from pg_catalog.pg_proc p
  join namespaces n on n.oid = p.pronamespace
),
objects (class, id, sub_id, name, definition, owner, acl) as (
  select 'pg_namespace'::regclass, n.oid, 0, 'schema ' || n.nspname, '', n.nspowner,
    coalesce(n.nspacl, acldefault('n', n.nspowner))
  from namespaces n

  union all
  select 'pg_class'::regclass, c.oid, 0,
    case c.relkind
      when 'S' then 'sequence ' when 'v' then 'view ' when 'm' then 'materialized view ' else 'table '
    end || c.name,
    concat_ws(', ', 'kind ' || c.relkind::text, 'persistence ' || c.relpersistence::text,
      'options ' || (select string_agg(option, ' ' order by option) from unnest(c.reloptions) option),
      'row security ' || c.relrowsecurity::text, 'forced ' || c.relforcerowsecurity::text,
      'replica identity ' || c.relreplident::text,
      case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
      (select row_to_json(s)::jsonb - 'seqrelid' from pg_catalog.pg_sequence s where s.seqrelid = c.oid)),
    c.relowner,
    coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))
  from relations c

  union all
  select 'pg_class'::regclass, c.oid, a.attnum, format('column %s.%I', c.name, a.attname),
    concat_ws(', ',
      'place ' || row_number() over (partition by c.oid order by a.attnum),
      format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then 'not null' end,
      'default ' || pg_get_expr(d.adbin, d.adrelid),
      'identity ' || nullif(a.attidentity, '')::text, 'generated ' || nullif(a.attgenerated, '')::text,
      'collation ' || nullif(a.attcollation, 0)::regcollation,
      'storage ' || a.attstorage::text, 'statistics ' || nullif(a.attstattarget, -1)),
    null, a.attacl
  from relations c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relkind <> 'S'

  union all
  select 'pg_constraint'::regclass, k.oid, 0,
    format('constraint %I on %s', k.conname, coalesce(c.name, k.contypid::regtype::text)),
    pg_get_constraintdef(k.oid), null, null
  from pg_catalog.pg_constraint k
  join namespaces n on n.oid = k.connamespace
  left join relations c on c.oid = k.conrelid

  union all
  select 'pg_class'::regclass, i.indexrelid, 0, 'index ' || i.indexrelid::regclass,
    pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ', invalid' end, null, null
  from pg_catalog.pg_index i
  join relations c on c.oid = i.indrelid

  union all
  select 'pg_trigger'::regclass, t.oid, 0, format('trigger %I on %s', t.tgname, c.name),
    pg_get_triggerdef(t.oid) || ', enabled ' || t.tgenabled::text, null, null
  from pg_catalog.pg_trigger t
  join relations c on c.oid = t.tgrelid
  where not t.tgisinternal

  union all
  select 'pg_policy'::regclass, p.oid, 0, format('policy %I on %s', p.polname, c.name),
    concat_ws(', ', 'command ' || p.polcmd::text, 'permissive ' || p.polpermissive,
      (select string_agg(role, ' ' order by role)
        from (select unnest(p.polroles)::regrole::text as role) roles),
      'using ' || pg_get_expr(p.polqual, p.polrelid),
      'check ' || pg_get_expr(p.polwithcheck, p.polrelid)),
    null, null
  from pg_catalog.pg_policy p
  join relations c on c.oid = p.polrelid

  union all
  select 'pg_proc'::regclass, f.oid, 0, 'function ' || f.name,
    -- An aggregate has no text, and is compared by its name.
    case when f.prokind in ('f', 'p') then pg_get_functiondef(f.oid) else 'aggregate' end,
    f.proowner, coalesce(f.proacl, acldefault('f', f.proowner))
  from functions f

  union all
  select 'pg_type'::regclass, t.oid, 0, 'type ' || t.oid::regtype,
    concat_ws(', ', 'kind ' || t.typtype::text, format_type(nullif(t.typbasetype, 0), t.typtypmod),
      case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
      (select string_agg(e.enumlabel, ' ' order by e.enumsortorder)
        from pg_catalog.pg_enum e where e.enumtypid = t.oid)),
    t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
  from pg_catalog.pg_type t
  join namespaces n on n.oid = t.typnamespace
  -- Tables have a type of their own, and every type an array.
  where t.typrelid = 0 and t.typelem = 0

  union all
  select 'pg_statistic_ext'::regclass, s.oid, 0, format('statistics %s.%I', n.nspname, s.stxname),
    pg_get_statisticsobjdef(s.oid), s.stxowner, null
  from pg_catalog.pg_statistic_ext s
  join namespaces n on n.oid = s.stxnamespace

  union all
  select 'pg_default_acl'::regclass, d.oid, 0,
    format('default privileges of %s on %s in %s', d.defaclrole::regrole, d.defaclobjtype,
      coalesce(n.nspname, 'every schema')),
    '', d.defaclrole, d.defaclacl
  from pg_catalog.pg_default_acl d
  left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace

  union all
  select 'pg_publication_rel'::regclass, r.oid, 0,
    format('table %s in publication %I', c.name, p.pubname),
    concat_ws(', ', 'columns ' || r.prattrs::text, 'where ' || pg_get_expr(r.prqual, r.prrelid)),
    null, null
  from pg_catalog.pg_publication_rel r
  join pg_catalog.pg_publication p on p.oid = r.prpubid
  join relations c on c.oid = r.prrelid

  union all
  select 'pg_extension'::regclass, e.oid, 0, 'extension ' || e.extname,
    'schema ' || e.extnamespace::regnamespace, null, null
  from pg_catalog.pg_extension e
)
select
  o.name,
  concat_ws(E'\n', nullif(o.definition, ''), 'owner ' || o.owner::regrole,
    (
      select string_agg(privilege, E'\n' order by privilege)
      from (
        select format('grant %s to %s%s', a.privilege_type,
          case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
          case when a.is_grantable then ' with grant option' end) as privilege
        from aclexplode(o.acl) a
      ) privileges
    ),
    'comment ' || d.description) as definition
from objects o
left join pg_catalog.pg_description d
  on d.classoid = o.class and d.objoid = o.id and d.objsubid = o.sub_id
where not exists (
  select from pg_catalog.pg_depend e
  where e.classid = o.class and e.objid = o.id and e.deptype = 'e'
)
order by o.name
